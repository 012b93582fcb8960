"""A host on the loopback interface, for tests of what downloads."""

import gc
import http.server
import threading


class Host:
    """Serves `archives`, {name: content}, below `url`, in whatever folder they are asked for.

    Tests may change `archives`; `served` lists the names that were asked for, by GET and HEAD.
    """

    def __init__(self, archives):
        self.archives, self.served = archives, []
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.rpartition("/")[2]
                host.served.append(name)
                content = host.archives.get(name)
                self.send_response(404 if content is None else 200)
                self.end_headers()
                if content is not None and self.command == "GET":
                    self.wfile.write(content)

            do_HEAD = do_GET

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        gc.collect()  # what torchvision left open is complained of here, not in another file's test
