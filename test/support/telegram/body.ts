import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import type http from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import busboy from 'busboy';
import { ApiFailure, type Upload } from './types.js';

export interface Body {
  params: Record<string, unknown>;
  files: Upload[];
}

/** Values of forms are texts; objects, lists and truth values in them are JSON. */
function readValue(text: string): unknown {
  if (!/^(?:[[{]|true$|false$)/.test(text)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

async function readText(request: http.IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}

async function readMultipart(request: http.IncomingMessage, dir: string, maxBytes: number): Promise<Body> {
  const body: Body = { params: {}, files: [] };
  const saving: Promise<void>[] = [];
  let tooBig = false;
  const parser = busboy({
    headers: request.headers,
    defParamCharset: 'utf8',
    limits: { fileSize: maxBytes, fieldSize: 1 << 20 },
  });
  parser.on('field', (name, value) => {
    body.params[name] = readValue(value);
  });
  parser.on('file', (field, stream, info) => {
    const file = path.join(dir, randomUUID());
    stream.on('limit', () => {
      tooBig = true;
    });
    saving.push(
      pipeline(stream, fs.createWriteStream(file)).then(() => {
        body.files.push({
          field,
          fileName: info.filename ?? field,
          path: file,
          sizeBytes: fs.statSync(file).size,
        });
      }),
    );
  });
  await pipeline(request, parser);
  await Promise.all(saving);
  if (tooBig) throw new ApiFailure(413, 'Request Entity Too Large');
  return body;
}

/**
 * Reads a call's parameters from query, JSON, form or multipart; files are saved into `dir`.
 * @throws ApiFailure 413 for a file over `maxBytes`
 */
export async function readBody(
  request: http.IncomingMessage,
  query: URLSearchParams,
  dir: string,
  maxBytes: number,
): Promise<Body> {
  const params: Record<string, unknown> = {};
  for (const [name, value] of query) params[name] = readValue(value);
  const type = request.headers['content-type'] ?? '';
  if (type.startsWith('multipart/form-data')) {
    const body = await readMultipart(request, dir, maxBytes);
    return { params: { ...params, ...body.params }, files: body.files };
  }
  const text = await readText(request);
  if (text === '') return { params, files: [] };
  if (type.startsWith('application/json'))
    return { params: { ...params, ...(JSON.parse(text) as object) }, files: [] };
  for (const [name, value] of new URLSearchParams(text)) params[name] = readValue(value);
  return { params, files: [] };
}
