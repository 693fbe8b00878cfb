"""One end of a connection over loopback that moves known bytes: `server SENDS RECEIVES`, or `client SENDS RECEIVES PORT`.

The server says its port. The client connects once there is a line on stdin. Each says when it has all of its bytes, and
keeps the connection until its stdin ends.
"""

import socket
import sys

role, sends, receives = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if role == "server":
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    end, _ = listener.accept()
else:
    sys.stdin.readline()
    end = socket.create_connection(("127.0.0.1", int(sys.argv[4])))
end.settimeout(30)
end.sendall(b"x" * sends)
while receives > 0:
    piece = end.recv(min(receives, 65536))
    if not piece:
        sys.exit(f"the other end has closed with {receives} bytes to come")
    receives -= len(piece)
print("done", flush=True)
sys.stdin.read()
