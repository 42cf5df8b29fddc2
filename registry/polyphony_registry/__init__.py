"""The Polyphony marketplace server: hosts, logs, searches, serves. ``app.create_app`` is the way in."""
