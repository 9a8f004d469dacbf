"""The methods of ``Client`` by subject: one method for each call of the API."""
