"""One small grey frame for each second of a video, by ffmpeg: each becomes an item, for the next program to take."""
import base64
import json
import subprocess
import sys

WIDTH, HEIGHT = 64, 36

for line in sys.stdin:
    video = json.loads(line)
    ffmpeg = ["ffmpeg", "-nostdin", "-v", "error", "-i", video["path"], "-vf", f"fps=1,scale={WIDTH}:{HEIGHT}"]
    done = subprocess.run([*ffmpeg, "-pix_fmt", "gray", "-f", "rawvideo", "-"], capture_output=True)
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        answer = {"error": lines[-1] if lines else "ffmpeg failed"}
    else:
        size = WIDTH * HEIGHT
        frames = [done.stdout[at : at + size] for at in range(0, len(done.stdout) - size + 1, size)]
        items = [{"second": at, "grey": base64.b64encode(frame).decode()} for at, frame in enumerate(frames)]
        answer = {"id": video["id"], "items": items}
    print(json.dumps(answer), flush=True)
