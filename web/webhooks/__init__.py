"""The door for providers: authenticate a POST, make its raw body durable, answer."""
