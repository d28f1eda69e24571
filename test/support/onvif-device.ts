/**
 * A stand-in for an ONVIF camera on loopback: WS-Discovery over UDP, its services over HTTP with WS-Security or HTTP
 * digest, a clock of its own, and hostile answers on demand. `seen` tells what reached it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface DeviceProfile {
  token: string;
  /** video source */
  source?: string;
  codec: 'H264' | 'H265';
  width: number;
  height: number;
  /** what GetStreamUri answers */
  rtsp: string;
}

/** endless: the answer never ends; slow: nothing comes; deep, entities, doctype-free nonsense: bad XML. */
export type DeviceFault = 'none' | 'endless' | 'mute' | 'entities' | 'deep' | 'html' | 'xmlns' | 'odd';

export interface OnvifDeviceOptions {
  host?: string;
  /** of HTTP; default any */
  port?: number;
  user: string;
  password: string;
  /** which login it asks for; default both WS-Security and HTTP digest do */
  scheme?: 'ws-security' | 'digest';
  make?: string;
  model?: string;
  serial?: string;
  mac?: string;
  /** UUID of the endpoint */
  endpoint?: string;
  /** its clock less ours, ms */
  clockMs?: number;
  profiles: DeviceProfile[];
  /** address in its XAddrs; default its own */
  announced?: string;
  fault?: DeviceFault;
}

export interface OnvifDevice {
  host: string;
  port: number;
  /** where its WS-Discovery listens */
  discovery: { address: string; port: number };
  /** names of the requests that arrived, in order, "+login" when a login came with it */
  seen: string[];
  /** TCP connections that arrived */
  connections(): number;
  stop(): Promise<void>;
}

const NAMES = `xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:trt="http://www.onvif.org/ver10/media/wsdl" xmlns:tt="http://www.onvif.org/ver10/schema"`;
const envelope = (body: string) =>
  `<?xml version="1.0" encoding="UTF-8"?><s:Envelope ${NAMES}><s:Body>${body}</s:Body></s:Envelope>`;
const REFUSAL = envelope(
  '<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en">Sender not Authorized</s:Text></s:Reason></s:Fault>',
);
const UNKNOWN = envelope(
  '<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text xml:lang="en">Optional Action Not Implemented</s:Text></s:Reason></s:Fault>',
);
const md5 = (text: string) => createHash('md5').update(text).digest('hex');
const REALM = 'ONVIF device';
/** A token older or newer than this by the device's own clock is refused, ms. */
const FRESH_MS = 5000;
/** What anybody may ask (ONVIF core, access class PRE_AUTH). */
const OPEN = new Set(['GetSystemDateAndTime', 'GetEndpointReference', 'GetServices']);

export async function startOnvifDevice(options: OnvifDeviceOptions): Promise<OnvifDevice> {
  const { user, password, scheme = 'ws-security', clockMs = 0, fault = 'none' } = options;
  const host = options.host ?? '127.0.0.1';
  const { make = 'HIKVISION', model = 'DS-2CD1043', serial = 'SN-0001', mac = '44:19:b6:00:00:01' } = options;
  const endpoint = options.endpoint ?? '4d454930-0000-1000-8000-4419b6000001';
  const seen: string[] = [];
  const nonces = new Set<string>();
  let connections = 0;
  const now = () => new Date(Date.now() + clockMs);

  function tokenFits(body: string): boolean {
    const part = (name: string) => new RegExp(`<${name}(?:\\s[^>]*)?>([^<]*)<`).exec(body)?.[1] ?? '';
    const created = part('Created');
    const expected = createHash('sha1')
      .update(Buffer.concat([Buffer.from(part('Nonce'), 'base64'), Buffer.from(created + password)]))
      .digest('base64');
    return (
      part('Username') === user &&
      part('Password') === expected &&
      Math.abs(Date.parse(created) - now().getTime()) < FRESH_MS
    );
  }

  function digestFits(request: IncomingMessage): boolean {
    const header = request.headers.authorization ?? '';
    const said = Object.fromEntries(
      [...header.matchAll(/(\w+)="?([^",]*)"?/g)].map((one) => [one[1], one[2]]),
    );
    const secret = md5(`${user}:${REALM}:${password}`);
    const expected = md5(`${secret}:${said.nonce}:${said.nc}:${said.cnonce}:auth:${md5(`POST:${said.uri}`)}`);
    return said.username === user && nonces.has(said.nonce ?? '') && said.response === expected;
  }

  const at = (path: string) => `http://${host}:${address().port}${path}`;
  const ANSWERS: Record<string, (body: string) => string> = {
    GetSystemDateAndTime() {
      const time = now();
      return `<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>Manual</tt:DateTimeType><tt:UTCDateTime><tt:Time><tt:Hour>${time.getUTCHours()}</tt:Hour><tt:Minute>${time.getUTCMinutes()}</tt:Minute><tt:Second>${time.getUTCSeconds()}</tt:Second></tt:Time><tt:Date><tt:Year>${time.getUTCFullYear()}</tt:Year><tt:Month>${time.getUTCMonth() + 1}</tt:Month><tt:Day>${time.getUTCDate()}</tt:Day></tt:Date></tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>`;
    },
    GetEndpointReference: () =>
      `<tds:GetEndpointReferenceResponse><tds:GUID>urn:uuid:${endpoint}</tds:GUID></tds:GetEndpointReferenceResponse>`,
    GetServices: () =>
      `<tds:GetServicesResponse>${['device', 'media'].map((name) => `<tds:Service><tds:Namespace>http://www.onvif.org/ver10/${name}/wsdl</tds:Namespace><tds:XAddr>${options.announced === undefined ? at(`/onvif/${name}_service`) : `${options.announced}/onvif/${name}_service`}</tds:XAddr><tds:Version><tt:Major>2</tt:Major><tt:Minor>5</tt:Minor></tds:Version></tds:Service>`).join('')}</tds:GetServicesResponse>`,
    GetCapabilities: () =>
      `<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Device><tt:XAddr>${at('/onvif/device_service')}</tt:XAddr></tt:Device><tt:Media><tt:XAddr>${at('/onvif/media_service')}</tt:XAddr></tt:Media></tds:Capabilities></tds:GetCapabilitiesResponse>`,
    GetVideoSources: () =>
      `<trt:GetVideoSourcesResponse><trt:VideoSources token="Source_1"><tt:Framerate>25</tt:Framerate><tt:Resolution><tt:Width>1920</tt:Width><tt:Height>1080</tt:Height></tt:Resolution></trt:VideoSources></trt:GetVideoSourcesResponse>`,
    GetDeviceInformation: () =>
      `<tds:GetDeviceInformationResponse><tds:Manufacturer>${make}</tds:Manufacturer><tds:Model>${model}</tds:Model><tds:FirmwareVersion>1.0</tds:FirmwareVersion><tds:SerialNumber>${serial}</tds:SerialNumber><tds:HardwareId>88</tds:HardwareId></tds:GetDeviceInformationResponse>`,
    GetNetworkInterfaces: () =>
      `<tds:GetNetworkInterfacesResponse><tds:NetworkInterfaces token="eth0"><tt:Enabled>true</tt:Enabled><tt:Info><tt:Name>eth0</tt:Name><tt:HwAddress>${mac}</tt:HwAddress></tt:Info></tds:NetworkInterfaces></tds:GetNetworkInterfacesResponse>`,
    GetProfiles: () =>
      `<trt:GetProfilesResponse>${options.profiles.map((one) => `<trt:Profiles token="${one.token}" fixed="true"><tt:Name>${one.token}</tt:Name><tt:VideoSourceConfiguration token="v"><tt:Name>v</tt:Name><tt:SourceToken>${one.source ?? 'Source_1'}</tt:SourceToken></tt:VideoSourceConfiguration><tt:VideoEncoderConfiguration token="e"><tt:Name>e</tt:Name><tt:Encoding>${one.codec}</tt:Encoding><tt:Resolution><tt:Width>${one.width}</tt:Width><tt:Height>${one.height}</tt:Height></tt:Resolution><tt:RateControl><tt:FrameRateLimit>25</tt:FrameRateLimit><tt:BitrateLimit>2048</tt:BitrateLimit></tt:RateControl></tt:VideoEncoderConfiguration></trt:Profiles>`).join('')}</trt:GetProfilesResponse>`,
    GetStreamUri(body) {
      const token = /<ProfileToken>([^<]*)</.exec(body)?.[1];
      const rtsp = options.profiles.find((one) => one.token === token)?.rtsp ?? '';
      return `<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>${rtsp.replaceAll('&', '&amp;')}</tt:Uri></trt:MediaUri></trt:GetStreamUriResponse>`;
    },
    GetSnapshotUri: () =>
      `<trt:GetSnapshotUriResponse><trt:MediaUri><tt:Uri>${at('/picture.jpg')}</tt:Uri></trt:MediaUri></trt:GetSnapshotUriResponse>`,
  };

  /** @returns true when the answer was a hostile one */
  function misbehave(response: ServerResponse): boolean {
    const send = (text: string) => void response.writeHead(200).end(text);
    switch (fault) {
      case 'none':
        return false;
      case 'mute':
        return true;
      case 'html':
        send('<html><body>Welcome</body>');
        return true;
      case 'entities':
        send(
          `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">${'bcdefghij'
            .split('')
            .map((name, i) => `<!ENTITY ${name} "${`&${'abcdefghij'[i]};`.repeat(10)}">`)
            .join('')}]><s:Envelope ${NAMES}><s:Body><x>&j;</x></s:Body></s:Envelope>`,
        );
        return true;
      case 'deep':
        send(envelope('<x>'.repeat(200_000)));
        return true;
      case 'xmlns':
        send(envelope('xmlns'.repeat(400_000)));
        return true;
      case 'odd':
        send(envelope('<tds:GetServicesResponse/><__proto__><x>1</x></__proto__>'));
        return true;
      case 'endless': {
        response.writeHead(200);
        const more = () => {
          while (!response.destroyed && response.write('x'.repeat(65_536)));
        };
        response.on('drain', more);
        more();
        return true;
      }
    }
  }

  function answer(request: IncomingMessage, response: ServerResponse, body: string): void {
    const name = /<(?:\w+:)?(Get\w+)/.exec(body)?.[1] ?? '?';
    const login = body.includes('UsernameToken') || request.headers.authorization !== undefined;
    seen.push(login ? `${name}+login` : name);
    if (misbehave(response)) return;
    const admitted = scheme === 'digest' ? digestFits(request) : tokenFits(body);
    if (!OPEN.has(name) && !admitted) {
      const nonce = randomBytes(8).toString('hex');
      nonces.add(nonce);
      if (scheme === 'digest')
        response.writeHead(401, {
          'WWW-Authenticate': `Digest realm="${REALM}", qop="auth", nonce="${nonce}"`,
        });
      else response.writeHead(400);
      response.end(REFUSAL);
      return;
    }
    const made = ANSWERS[name]?.(body);
    if (made === undefined) response.writeHead(500).end(UNKNOWN);
    else response.writeHead(200, { 'Content-Type': 'application/soap+xml' }).end(envelope(made));
  }

  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (piece: string) => {
      body += piece;
    });
    request.on('end', () => answer(request, response, body));
    response.on('error', () => {});
  });
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(options.port ?? 0, host);
  await once(server, 'listening');
  const address = () => server.address() as AddressInfo;

  const socket = createSocket('udp4');
  socket.bind(0, host);
  await once(socket, 'listening');
  socket.on('message', (message, from) => {
    const asked = /MessageID[^>]*>([^<]*)</.exec(message.toString())?.[1] ?? '';
    seen.push('Probe');
    const xaddr = options.announced === undefined ? at('') : options.announced;
    const name = encodeURIComponent(`${make} ${model}`);
    socket.send(
      `<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header><a:RelatesTo>${asked}</a:RelatesTo></s:Header><s:Body><d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:${endpoint}</a:Address></a:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/name/${name} onvif://www.onvif.org/hardware/${model} onvif://www.onvif.org/MAC/${mac}</d:Scopes><d:XAddrs>http://203.0.113.9/onvif/device_service ${xaddr}/onvif/device_service</d:XAddrs></d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>`,
      from.port,
      from.address,
    );
  });

  return {
    host,
    port: address().port,
    discovery: { address: host, port: socket.address().port },
    seen,
    connections: () => connections,
    async stop() {
      socket.close();
      server.closeAllConnections();
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}
