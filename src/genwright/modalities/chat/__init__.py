"""Chats: what a user asks, and what is to be answered."""
