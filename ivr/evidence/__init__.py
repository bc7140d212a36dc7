"""What is kept of every call for a while: its SIP and RTCP, and how each leg was when it ended."""
