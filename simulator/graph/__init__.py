"""The common part of WhatsApp and Instagram: the Graph API's errors, its tokens, and the signature of its webhooks."""
