"""Models behind HTTP endpoints of the kind that OpenAI's API has made common: requests with retries, a rate, and a key.

What is sent is up to the caller: texts to be embedded, or prompts to be answered. Configs import `options` and `clock`, not `endpoint` and
`retries`, which import the HTTP client.
"""
