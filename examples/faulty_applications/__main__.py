"""``FAULT=state python -m examples.faulty_applications``: serve it at the port of APP_URL."""

import os
from urllib.parse import urlsplit

from werkzeug.serving import make_server

from examples.faulty_applications import Settings, create_app

if __name__ == "__main__":
    settings = Settings.from_environment(os.environ)
    port = urlsplit(settings.app_url).port or 80
    make_server("127.0.0.1", port, create_app(settings), threaded=True).serve_forever()
