"""How bright each frame is, and whether it is a plain one (a fade, a title)."""
import base64
import json
import sys

for line in sys.stdin:
    frame = json.loads(line)["data"]
    grey = base64.b64decode(frame["grey"])
    mean = sum(grey) / len(grey)
    spread = (sum((pixel - mean) ** 2 for pixel in grey) / len(grey)) ** 0.5
    answer = {"second": frame["second"], "brightness": round(mean / 255, 3), "plain": spread < 8}
    print(json.dumps(answer), flush=True)
