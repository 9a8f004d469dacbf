"""What WhatsApp and Instagram share: the Graph API's errors, its tokens, and the signature of its webhooks."""
