/**
 * A small RTSP server with faults on demand (RTP interleaved in TCP). Pictures go out on a real-time clock, and
 * `sent` tells when each frame truly left. For a server nobody of us wrote see gst/gst-server.ts.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { readElementaryStream } from './annexb.js';
import { type PreparedStream, prepareStream, type StreamSettings, streamBytes } from './frame-clock.js';
import { describeStream, RtpTrack } from './rtp.js';
import { admits, challenge, type Login } from './rtsp-auth.js';
import { Channel, type Fault, type RtspStreamOptions, type Viewer } from './rtsp-channel.js';

export type { Fault, RtspStreamOptions } from './rtsp-channel.js';

export interface RtspServerOptions {
  streams: Record<string, StreamSettings | PreparedStream | RtspStreamOptions>;
  /** login for every stream that doesn't say otherwise */
  login?: Login;
  port?: number;
  host?: string;
}

interface Request {
  method: string;
  url: string;
  headers: Map<string, string>;
}

export interface RtspServer {
  port: number;
  /** address of a stream, with its login unless told otherwise */
  url(path: string, options?: { credentials?: boolean; user?: string; password?: string }): string;
  /** frame number since the start → when its last byte was given to the network (epoch ms); only frames that went out */
  sent(path: string): ReadonlyMap<number, number>;
  /** the frame to be sent next */
  frameDue(path: string): number;
  /** N: frame n shows picture n mod N */
  frames(path: string): number;
  /** changes how a stream behaves, from this moment on, for those watching too */
  setFault(path: string, fault: Fault): void;
  /** changes who may watch; those watching stay */
  setLogin(path: string, login: Login | null): void;
  /** cuts the connections of everybody watching the stream; gives back how many */
  drop(path: string): number;
  /** how many are playing it */
  viewers(path: string): number;
  /** resolves when as many are playing it */
  watched(path: string, viewers?: number): Promise<void>;
  /** "DESCRIBE /cam" … every request in order */
  requests: readonly string[];
  /** stops listening and cuts every connection; `startRtspServer` on the same port is the camera coming back */
  stop(): Promise<void>;
}

/** The stream a request is about, without the track. */
function pathOf(url: string): string {
  return (URL.canParse(url) ? new URL(url).pathname : url).replace(/\/?(trackID=\d)?$/, '');
}

function toOptions(entry: StreamSettings | PreparedStream | RtspStreamOptions): RtspStreamOptions {
  return 'source' in entry ? entry : { source: entry };
}

/** Starts the server; every stream's clock begins at once. */
export async function startRtspServer(options: RtspServerOptions): Promise<RtspServer> {
  const host = options.host ?? '127.0.0.1';
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const films = await Promise.all(
    Object.entries(options.streams).map(async ([path, entry]) => {
      const stream = toOptions(entry);
      const prepared = 'file' in stream.source ? stream.source : await prepareStream(stream.source);
      return {
        path,
        stream,
        prepared,
        film: readElementaryStream(await streamBytes(prepared), prepared.codec),
      };
    }),
  );
  const startMs = Date.now();
  const channels = new Map<string, Channel>();
  const changed = new Set<() => void>();
  const notify = () => {
    for (const check of changed) check();
  };

  function respond(
    viewer: Viewer,
    request: Request,
    status: string,
    headers: string[] = [],
    body = '',
  ): void {
    const lines = [`RTSP/1.0 ${status}`, `CSeq: ${request.headers.get('cseq') ?? 0}`, ...headers];
    if (body) lines.push('Content-Type: application/sdp', `Content-Length: ${Buffer.byteLength(body)}`);
    viewer.socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
  }

  function setup(viewer: Viewer, request: Request): void {
    const transport = request.headers.get('transport') ?? '';
    const wanted = /interleaved=(\d+)/.exec(transport)?.[1];
    if (!transport.includes('TCP')) {
      respond(viewer, request, '461 Unsupported Transport');
      return;
    }
    const sound = request.url.endsWith('trackID=1');
    const channel = Number(wanted ?? (sound ? 2 : 0));
    const track = sound ? new RtpTrack(channel, 8, 8000) : new RtpTrack(channel, 96, 90_000);
    if (sound) viewer.audio = track;
    else viewer.video = track;
    respond(viewer, request, '200 OK', [
      `Transport: RTP/AVP/TCP;unicast;interleaved=${channel}-${channel + 1}`,
      `Session: ${viewer.session};timeout=60`,
    ]);
  }

  function play(viewer: Viewer, request: Request, channel: Channel): void {
    const url = request.url.replace(/\/$/, '');
    const seconds = channel.frameDue / channel.prepared.fps;
    const info = [viewer.video, viewer.audio].flatMap((track, i) =>
      track ? [`url=${url}/trackID=${i};seq=${track.nextSequence};rtptime=${track.ticks(seconds)}`] : [],
    );
    respond(viewer, request, '200 OK', [
      `Session: ${viewer.session};timeout=60`,
      'Range: npt=0.000-',
      `RTP-Info: ${info.join(',')}`,
    ]);
    viewer.playing = true;
    channel.viewers.add(viewer);
    notify();
  }

  function answer(viewer: Viewer, request: Request): void {
    const path = pathOf(request.url);
    requests.push(`${request.method} ${path}`);
    const channel = channels.get(path);
    const fault = channel?.fault ?? 'none';
    if (fault === 'mute') return;
    if (fault === 'hang-up') {
      viewer.socket.destroy();
      return;
    }
    if (fault === 'html') {
      const page = '<html><body>Welcome</body></html>';
      viewer.socket.end(
        `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${page.length}\r\n\r\n${page}`,
      );
      return;
    }
    if (request.method === 'OPTIONS') {
      respond(viewer, request, '200 OK', [
        'Public: OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, TEARDOWN',
      ]);
      return;
    }
    if (!channel || fault === 'not-found') {
      respond(viewer, request, '404 Not Found');
      return;
    }
    if (fault === 'forbidden' || fault === 'busy') {
      respond(viewer, request, fault === 'busy' ? '503 Service Unavailable' : '403 Forbidden');
      return;
    }
    const login = fault === 'refuse' ? { user: 'nobody', password: viewer.nonce } : channel.login;
    if (login && !admits(login, viewer.nonce, request.method, request.headers.get('authorization'))) {
      respond(viewer, request, '401 Unauthorized', [`WWW-Authenticate: ${challenge(login, viewer.nonce)}`]);
      return;
    }
    viewer.path = path;
    switch (request.method) {
      case 'DESCRIBE': {
        const { codec, fps } = channel.prepared;
        const video = fault !== 'audio-only';
        const audio = !video || channel.options.audio === true;
        const sdp = describeStream({ codec, fps, stream: channel.film, video, audio });
        respond(viewer, request, '200 OK', [`Content-Base: ${request.url.replace(/\/?$/, '/')}`], sdp);
        break;
      }
      case 'SETUP':
        setup(viewer, request);
        break;
      case 'PLAY':
        play(viewer, request, channel);
        break;
      case 'GET_PARAMETER':
      case 'SET_PARAMETER':
        respond(viewer, request, '200 OK', [`Session: ${viewer.session}`]);
        break;
      case 'PAUSE':
        viewer.playing = false;
        respond(viewer, request, '200 OK', [`Session: ${viewer.session}`]);
        break;
      case 'TEARDOWN':
        leave(viewer);
        respond(viewer, request, '200 OK', [`Session: ${viewer.session}`]);
        break;
      default:
        respond(viewer, request, '501 Not Implemented');
    }
  }

  function leave(viewer: Viewer): void {
    viewer.playing = false;
    if (viewer.path !== null) channels.get(viewer.path)?.viewers.delete(viewer);
    notify();
  }

  /** Takes whole requests and interleaved packets (the client's RTCP) off the front; gives back the rest. */
  function take(viewer: Viewer, bytes: Buffer): Buffer {
    let rest = bytes;
    for (;;) {
      if (rest[0] === 0x24) {
        if (rest.length < 4 || rest.length < 4 + rest.readUInt16BE(2)) return rest;
        rest = rest.subarray(4 + rest.readUInt16BE(2));
        continue;
      }
      const end = rest.indexOf('\r\n\r\n');
      if (end < 0) return rest;
      const [first = '', ...lines] = rest.subarray(0, end).toString().trimStart().split('\r\n');
      const headers = new Map(
        lines.map((line) => {
          const colon = line.indexOf(':');
          return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()] as const;
        }),
      );
      const length = Number(headers.get('content-length') ?? 0);
      if (rest.length < end + 4 + length) return rest;
      rest = rest.subarray(end + 4 + length);
      const [method = '', url = ''] = first.split(' ');
      const request = { method, url, headers };
      const fault = channels.get(pathOf(url))?.fault;
      if (typeof fault === 'object') setTimeout(() => answer(viewer, request), fault.delayMs).unref();
      else answer(viewer, request);
    }
  }

  const listener = createServer((socket) => {
    socket.setNoDelay(true);
    const viewer: Viewer = {
      socket,
      path: null,
      session: randomBytes(4).toString('hex'),
      nonce: randomBytes(16).toString('hex'),
      video: null,
      audio: null,
      playing: false,
    };
    let rest: Buffer = Buffer.alloc(0);
    sockets.add(socket);
    socket.on('data', (bytes: Buffer) => {
      rest = take(viewer, Buffer.concat([rest, bytes]));
    });
    // A viewer that goes away in the middle of a packet is everyday life.
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      leave(viewer);
    });
  });
  listener.listen(options.port ?? 0, host);
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  for (const { path, stream, prepared, film } of films) {
    const login = stream.login === undefined ? (options.login ?? null) : stream.login;
    channels.set(path, new Channel(prepared, film, stream, login, startMs));
  }
  const channelOf = (path: string): Channel => {
    const channel = channels.get(path);
    if (!channel) throw new Error(`no stream ${path}`);
    return channel;
  };

  return {
    port,
    requests,
    url(path, { credentials = true, user, password } = {}) {
      const login = channelOf(path).login;
      const name = user ?? login?.user;
      const secret = password ?? login?.password ?? '';
      const said =
        credentials && name !== undefined ? `${encodeURIComponent(name)}:${encodeURIComponent(secret)}@` : '';
      return `rtsp://${said}${host}:${port}${path}`;
    },
    sent: (path) => channelOf(path).sent,
    frameDue: (path) => channelOf(path).frameDue,
    frames: (path) => channelOf(path).film.units.length,
    setFault(path, fault) {
      channelOf(path).fault = fault;
    },
    setLogin(path, login) {
      channelOf(path).login = login;
    },
    drop(path) {
      const viewers = [...channelOf(path).viewers];
      for (const viewer of viewers) viewer.socket.destroy();
      return viewers.length;
    },
    viewers: (path) => channelOf(path).viewers.size,
    watched(path, viewers = 1) {
      return new Promise((resolve) => {
        const check = () => {
          if (channelOf(path).viewers.size !== viewers) return;
          changed.delete(check);
          resolve();
        };
        changed.add(check);
        check();
      });
    },
    async stop() {
      for (const channel of channels.values()) channel.stop();
      for (const socket of sockets) socket.destroy();
      const closed = once(listener, 'close');
      listener.close();
      await closed;
    },
  };
}
