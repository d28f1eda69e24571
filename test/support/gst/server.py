#!/usr/bin/env python3
"""A real RTSP server (gst-rtsp-server) for the tests.

Usage: server.py CONFIG.json
  {"host": "127.0.0.1", "port": 0, "mounts": [{"path", "file", "codec", "fps", "user"?, "password"?, "scheme"?,
    "order"?, "startFrame"?, "audio"?, "audioFile"?, "timeless"?, "bare"?}]}
`file` is an Annex-B elementary stream with access unit delimiters. All mounts share one clock: unit n of a mount is
due at frame0Ms + n * 1000 / fps and is unit n % frames of the file.
  order: which picture each unit of the file shows, where there are B-frames
  startFrame: the mount's clock began so many frames before the server's start
  audio: "pcma" (audioFile: raw A-law, 8 kHz) or "aac" (audioFile: ADTS, 16 kHz), again and again beside the pictures
  timeless: every picture has the same RTP time
  bare: no parameter sets but at keyframes, so that SDP has none either
Prints one JSON line
  {"port": 34567, "mounts": {"/cam": {"frame0Ms": 1700000000000.0, "frames": 100}}}
takes orders, one a line, and ends when its stdin closes (never by Ctrl-C, which is for who started it).
  drop /cam: cuts the connections of who watches it
  late: prints {"worstMs": 12.3, "skipped": 0}: how much too late a frame was sent at most since last asked, and how many
    were left out because all came over a second late
"""
import ctypes
import heapq
import json
import os
import signal
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

START = b"\x00\x00\x00\x01"
CODECS = {
    # caps, payloader, parameter set types, delimiter type, type of a NAL unit's first byte, is it a keyframe?
    "h264": ("video/x-h264", "rtph264pay", (7, 8), 9, lambda b: b & 0x1F, lambda t: t == 5),
    "hevc": ("video/x-h265", "rtph265pay", (32, 33, 34), 35, lambda b: (b >> 1) & 0x3F, lambda t: 16 <= t <= 21),
}
SOUNDS = {
    # caps, payloader, rate of samples
    "pcma": ("audio/x-alaw,rate=8000,channels=1", "rtppcmapay name=pay1 pt=8", 8000),
    "aac": (
        "audio/mpeg,mpegversion=4,stream-format=adts,framed=true,rate=16000,channels=1",
        "aacparse ! rtpmp4gpay name=pay1 pt=97",
        16000,
    ),
}


def sound_pipe(kind):
    caps, payloader, _ = SOUNDS[kind]
    return f"appsrc name=sound is-live=true format=time block=false max-bytes=0 caps={caps} ! {payloader}"


def own(buffer):
    """A buffer with times of its own and the same bytes; Python's copy() is the same buffer once more, times and all."""
    return buffer.copy_region(Gst.BufferCopyFlags.MEMORY, 0, buffer.get_size())


class Tone:
    """A sound in pieces as a camera sends them: 40 ms of G.711, or frames of AAC out of an ADTS file."""

    def __init__(self, kind, file):
        with open(file, "rb") as opened:
            data = opened.read()
        rate = SOUNDS[kind][2]
        if kind == "pcma":
            pieces = [data[at : at + 320] for at in range(0, len(data) - 319, 320)]
            self.seconds = 320 / rate
        else:
            pieces = []
            while len(data) > 7:
                size = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
                pieces.append(data[:size])
                data = data[size:]
            self.seconds = 1024 / rate
        self.buffers = [Gst.Buffer.new_wrapped(piece) for piece in pieces]


def split_nals(data):
    nals = []
    start = data.find(b"\x00\x00\x01")
    while start >= 0:
        following = data.find(b"\x00\x00\x01", start + 3)
        end = len(data) if following < 0 else following
        nal = data[start + 3 : end].rstrip(b"\x00")
        if nal:
            nals.append(nal)
        start = following
    return nals


class Film:
    """One elementary stream, taken apart once, shared by every mount that shows it."""

    def __init__(self, file, codec, bare=False):
        _, _, parameter_types, delimiter, type_of, is_key = CODECS[codec]
        with open(file, "rb") as opened:
            nals = split_nals(opened.read())
        units = []
        parameters = {}
        for nal in nals:
            kind = type_of(nal[0])
            if kind == delimiter:
                units.append([])
                continue
            if not units:
                raise SystemExit(f"{file}: no access unit delimiters")
            units[-1].append(nal)
            if kind in parameter_types:
                parameters.setdefault(kind, nal)
        self.keys = [any(is_key(type_of(nal[0])) for nal in unit) for unit in units]
        whole = [START + START.join(unit) for unit in units]
        self.buffers = [Gst.Buffer.new_wrapped(unit) for unit in whole]
        head = START + START.join(parameters[kind] for kind in parameter_types)
        if bare:
            head = b""
        # A stream joined between keyframes begins with the parameter sets, as a camera's SDP carries them.
        self.joining = [Gst.Buffer.new_wrapped(unit if key else head + unit) for unit, key in zip(whole, self.keys)]


class Lateness:
    """How well the server itself keeps time."""

    worst = 0
    skipped = 0


class Mount:
    def __init__(self, film, fps, frame0, order=None, timeless=False, tone=None):
        self.film = film
        self.order = order or range(len(film.buffers))
        # How much later than it is sent a picture may be shown: the first is due when its turn to be shown comes.
        self.delay = max(0, max(unit - shown for unit, shown in enumerate(self.order)))
        self.timeless = timeless
        self.tone = tone
        self.sound = None
        self.heard = 0
        self.fps = fps
        self.frame0 = frame0
        self.next = 0
        self.first = None
        self.base = 0
        self.source = None
        self.generation = 0

    def due(self):
        return self.frame0 + self.next / self.fps

    def join(self, source, sound):
        """Starts feeding `source` with the frame that is due next, and `sound`, if there is one, with what belongs to it."""
        self.source = source
        self.sound = sound
        self.heard = 0
        self.generation += 1
        self.first = None
        self.next = max(0, int((time.time() - self.frame0) * self.fps) + 1)
        return self.generation

    def push_sound(self):
        """The tone that belongs to the pictures sent so far."""
        while self.tone is not None and self.heard * self.tone.seconds * self.fps <= self.next - self.first:
            buffer = own(self.tone.buffers[self.heard % len(self.tone.buffers)])
            buffer.pts = buffer.dts = self.base + int(self.heard * self.tone.seconds * Gst.SECOND)
            buffer.duration = int(self.tone.seconds * Gst.SECOND)
            self.heard += 1
            self.sound.emit("push-buffer", buffer)

    def push(self):
        """Sends every frame that is due; after a pause of over a second goes on with the next live keyframe."""
        now = time.time()
        count = len(self.film.buffers)
        Lateness.worst = max(Lateness.worst, now - self.due())
        if now - self.due() > 1:
            due = self.next
            self.next = int((now - self.frame0) * self.fps)
            while not self.film.keys[self.next % count]:
                self.next += 1
            Lateness.skipped += self.next - due
        while self.source is not None and self.due() <= now:
            frame = self.next
            if self.first is None:
                self.first = frame
                clock = self.source.get_clock()
                self.base = max(0, clock.get_time() - self.source.get_base_time()) if clock else 0
                buffer = own(self.film.joining[frame % count])
            else:
                buffer = own(self.film.buffers[frame % count])
            shown = frame - frame % count + self.order[frame % count] + self.delay
            buffer.pts = self.base + int((shown - self.first) * Gst.SECOND / self.fps)
            buffer.dts = self.base + int((frame - self.first) * Gst.SECOND / self.fps)
            if self.timeless:
                buffer.pts = buffer.dts = self.base
            buffer.duration = int(Gst.SECOND / self.fps)
            self.next += 1
            if self.source.emit("push-buffer", buffer) not in (Gst.FlowReturn.OK, Gst.FlowReturn.FLUSHING):
                self.source = None
        if self.source is not None and self.first is not None:
            self.push_sound()


class Feeder(threading.Thread):
    """One thread feeds all mounts that are being watched, each frame at its time."""

    def __init__(self):
        super().__init__(daemon=True)
        self.changed = threading.Condition()
        self.queue = []

    def watch(self, mount, source, sound):
        with self.changed:
            generation = mount.join(source, sound)
            heapq.heappush(self.queue, (mount.due(), id(mount), generation, mount))
            self.changed.notify()

    def leave(self, mount, source):
        with self.changed:
            if mount.source is source:
                mount.source = None

    def run(self):
        with self.changed:
            while True:
                if not self.queue:
                    self.changed.wait()
                    continue
                wait = self.queue[0][0] - time.time()
                if wait > 0:
                    self.changed.wait(wait)
                    continue
                _, _, generation, mount = heapq.heappop(self.queue)
                if mount.source is None or mount.generation != generation:
                    continue
                mount.push()
                heapq.heappush(self.queue, (mount.due(), id(mount), generation, mount))


def main():
    # A test run that is killed while this server is stopped (SIGSTOP) takes it along.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open(sys.argv[1]) as opened:
        config = json.load(opened)
    Gst.init(None)
    loop = GLib.MainLoop()
    server = GstRtspServer.RTSPServer()
    server.set_address(config.get("host", "127.0.0.1"))
    server.set_service(str(config.get("port", 0)))
    guarded = [m for m in config["mounts"] if m.get("user")]
    # Role names must be plain words.
    logins = sorted({(m["user"], m["password"]) for m in guarded})
    roles = {login: f"viewer{i}" for i, login in enumerate(logins)}
    if guarded:
        auth = GstRtspServer.RTSPAuth()
        auth.set_realm("IP Camera")
        schemes = {m.get("scheme", "digest") for m in guarded}
        methods = {"digest": GstRtsp.RTSPAuthMethod.DIGEST, "basic": GstRtsp.RTSPAuthMethod.BASIC}
        if len(schemes) > 1:
            raise SystemExit("one server speaks either basic or digest")
        scheme = schemes.pop()
        auth.set_supported_methods(methods[scheme])
        for (user, password), role in roles.items():
            token = GstRtspServer.RTSPToken()
            token.set_string("media.factory.role", role)
            if scheme == "digest":
                auth.add_digest(user, password, token)
            else:
                auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        if len(guarded) < len(config["mounts"]):
            anybody = GstRtspServer.RTSPToken()
            anybody.set_string("media.factory.role", "anybody")
            auth.set_default_token(anybody)
        server.set_auth(auth)

    feeder = Feeder()
    films = {}
    told = {}
    started = time.time()
    for index, entry in enumerate(config["mounts"]):
        codec = entry["codec"]
        key = (entry["file"], codec, entry.get("bare", False))
        film = films.get(key) or films.setdefault(key, Film(*key))
        caps, payloader = CODECS[codec][:2]
        fps = entry["fps"]
        # Cameras don't tick together: the mounts are spread over one frame's time.
        tone = Tone(entry["audio"], entry["audioFile"]) if entry.get("audio") else None
        frame0 = started + (index * 0.61803 % 1 - entry.get("startFrame", 0)) / fps
        mount = Mount(film, fps, frame0, entry.get("order"), entry.get("timeless", False), tone)
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(
            f"( appsrc name=film is-live=true format=time block=false max-bytes=0"
            f" caps={caps},stream-format=byte-stream,alignment=au,framerate={round(fps * 1000)}/1000"
            f" ! {payloader} name=pay0 pt=96 config-interval={0 if entry.get('bare') else -1}"
            f" {sound_pipe(entry['audio']) if entry.get('audio') else ''} )"
        )
        factory.set_shared(True)
        # A short way for short pictures: the default holds data back for players without a clock.
        factory.set_latency(0)
        if guarded:
            permissions = GstRtspServer.RTSPPermissions()
            role = roles[entry["user"], entry["password"]] if entry.get("user") else None
            for name in [*roles.values(), "anybody"]:
                allowed = role in (None, name)
                permissions.add_permission_for_role(name, "media.factory.access", True)
                permissions.add_permission_for_role(name, "media.factory.construct", allowed)
            factory.set_permissions(permissions)

        def configure(_factory, media, mount=mount):
            source = media.get_element().get_by_name_recurse_up("film") or media.get_element().get_by_name("film")
            media.connect("unprepared", lambda _media: feeder.leave(mount, source))
            sound = media.get_element().get_by_name_recurse_up("sound") or media.get_element().get_by_name("sound")
            feeder.watch(mount, source, sound)

        factory.connect("media-configure", configure)
        server.get_mount_points().add_factory(entry["path"], factory)
        told[entry["path"]] = {"frame0Ms": mount.frame0 * 1000, "frames": len(film.buffers)}

    viewers = {}

    def connected(_server, client):
        def plays(client, context):
            viewers.setdefault(context.uri.abspath.rstrip("/"), set()).add(client)

        def closed(client):
            for watching in viewers.values():
                watching.discard(client)

        client.connect("play-request", plays)
        client.connect("closed", closed)

    server.connect("client-connected", connected)

    def drop(path):
        for client in list(viewers.get(path, ())):
            client.close()

    if server.attach(None) == 0:
        raise SystemExit("could not bind")
    pool = server.get_session_pool()

    def expire():
        pool.cleanup()
        return True

    GLib.timeout_add_seconds(2, expire)
    feeder.start()

    def take_orders():
        for line in sys.stdin:
            order, *about = line.split()
            if order == "drop":
                GLib.idle_add(drop, *about)
            elif order == "late":
                with feeder.changed:
                    late = {"worstMs": Lateness.worst * 1000, "skipped": Lateness.skipped}
                    Lateness.worst = Lateness.skipped = 0
                print(json.dumps(late), flush=True)
        os._exit(0)

    threading.Thread(target=take_orders, daemon=True).start()
    print(json.dumps({"port": server.get_bound_port(), "mounts": told}), flush=True)
    loop.run()


main()
