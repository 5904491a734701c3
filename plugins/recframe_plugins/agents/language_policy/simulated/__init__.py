"""Rules by which a language policy learns in a simulator, for the return of sessions."""
