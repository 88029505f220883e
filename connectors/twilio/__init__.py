"""
What Twilio's channels share: signatures, forms, codes in words, the SDK at a known address, sending and receipts.

Not a channel (no manifest): ``twilio_sms``, ``whatsapp_twilio`` and voice use it.
"""
