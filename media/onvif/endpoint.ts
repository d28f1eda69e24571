import { request } from 'node:http';
import { connect } from 'node:net';
import { readEndpoint } from './identity.js';
import { textsOf } from './xml.js';

const QUESTION =
  '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><GetEndpointReference xmlns="http://www.onvif.org/ver10/device/wsdl"/></s:Body></s:Envelope>';
const LARGEST_ANSWER = 16_384;

/**
 * The UUID an ONVIF device tells everybody (GetEndpointReference needs no login); null when there is none to be had.
 * No password goes there. Never throws.
 */
export function askEndpoint(host: string, port: number, limitMs = 2000): Promise<string | null> {
  return new Promise((resolve) => {
    const asked = request(
      {
        ...{ host, port, method: 'POST', path: '/onvif/device_service', agent: false },
        headers: {
          'Content-Type': 'application/soap+xml; charset=utf-8',
          'Content-Length': Buffer.byteLength(QUESTION),
        },
        signal: AbortSignal.timeout(limitMs),
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
          if (text.length > LARGEST_ANSWER) asked.destroy();
        });
        answer.on('end', () => resolve(readEndpoint(textsOf(text, 'GUID')[0])));
        answer.on('error', () => resolve(null));
      },
    );
    asked.on('error', () => resolve(null)).on('close', () => resolve(null));
    asked.end(QUESTION);
  });
}

/** Does something listen there? One connection, nothing said. Never throws. */
export function opens(host: string, port: number, limitMs = 500): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (open: boolean) => {
      clearTimeout(limit);
      socket.destroy();
      resolve(open);
    };
    const limit = setTimeout(() => end(false), limitMs);
    socket.once('connect', () => end(true));
    socket.on('error', () => end(false));
  });
}
