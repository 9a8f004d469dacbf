"""The common part of WhatsApp and Instagram (Meta's Graph API): verification, signatures, the form of errors."""
