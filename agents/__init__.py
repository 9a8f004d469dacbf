"""One module an agent: a short loop round a pure decision. ``register(app)`` declares it on the app of its role."""
