"""What WhatsApp and Instagram share, since both are Meta's Graph API: verification, signatures, the form of errors."""
