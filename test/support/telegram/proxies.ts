import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';

/** A proxy for tests; `through` counts the connections it made, `login` is asked for when given. */
export interface TestProxy {
  port: number;
  through: number;
  /** user:password the client gave */
  logins: string[];
  stop(): Promise<void>;
}

/** Joins two sockets; either end closes both. */
function join(one: net.Socket, other: net.Socket) {
  one.pipe(other).pipe(one);
  for (const [socket, peer] of [
    [one, other],
    [other, one],
  ] as const) {
    socket.on('error', () => peer.destroy());
    socket.on('close', () => peer.destroy());
  }
}

const stopServer = async (server: net.Server, sockets: Set<net.Socket>) => {
  server.close();
  for (const socket of sockets) socket.destroy();
};

async function listen(server: net.Server): Promise<{ port: number; sockets: Set<net.Socket> }> {
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as net.AddressInfo).port, sockets };
}

/** An HTTP proxy that knows CONNECT. */
export async function startHttpProxy(): Promise<TestProxy> {
  const server = http.createServer((_request, response) => response.writeHead(405).end());
  const { port, sockets } = await listen(server);
  const proxy: TestProxy = { port, through: 0, logins: [], stop: () => stopServer(server, sockets) };
  server.on('connect', (request, socket: net.Socket) => {
    const login = /^Basic (.+)$/.exec(request.headers['proxy-authorization'] ?? '')?.[1];
    if (login !== undefined) proxy.logins.push(Buffer.from(login, 'base64').toString());
    const [host, to] = (request.url ?? '').split(':');
    const upstream = net.connect(Number(to), host, () => {
      proxy.through += 1;
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      join(socket, upstream);
    });
    upstream.on('error', () => socket.destroy());
  });
  return proxy;
}

/** A SOCKS5 proxy with user and password (RFC 1928, 1929); IPv4 and host names. */
export async function startSocksProxy(): Promise<TestProxy> {
  const server = net.createServer((socket) => {
    let stage: 'hello' | 'login' | 'request' = 'hello';
    socket.on('error', () => socket.destroy());
    const read = (bytes: Buffer) => {
      if (stage === 'hello') {
        stage = bytes.subarray(2).includes(2) ? 'login' : 'request';
        socket.write(Buffer.from([5, stage === 'login' ? 2 : 0]));
      } else if (stage === 'login') {
        const userEnd = 2 + (bytes[1] as number);
        proxy.logins.push(`${bytes.toString('utf8', 2, userEnd)}:${bytes.toString('utf8', userEnd + 1)}`);
        stage = 'request';
        socket.write(Buffer.from([1, 0]));
      } else {
        socket.off('data', read);
        const named = bytes[3] === 3;
        const end = named ? 5 + (bytes[4] as number) : 8;
        const host = named ? bytes.toString('latin1', 5, end) : bytes.subarray(4, 8).join('.');
        const upstream = net.connect(bytes.readUInt16BE(end), host, () => {
          proxy.through += 1;
          socket.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
          join(socket, upstream);
        });
        upstream.on('error', () => socket.destroy());
      }
    };
    socket.on('data', read);
  });
  const { port, sockets } = await listen(server);
  const proxy: TestProxy = { port, through: 0, logins: [], stop: () => stopServer(server, sockets) };
  return proxy;
}
