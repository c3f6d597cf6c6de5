"""Our requests to others: bounded in time and size, and to public addresses where a client or a
stranger names them (security rules F6, R10, R14).
"""
