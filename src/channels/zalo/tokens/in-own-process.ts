import { spawn } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { withoutKeys } from '../../../base/ffmpeg.js';
import { type Change, type Outcome, outcome } from './change.js';
import type { Order } from './change-child.js';

/** The compiled program beside this file. */
const CHILD = fileURLToPath(new URL('./change-child.js', import.meta.url));

/**
 * Has a change made by a process of its own. A child that was killed is an outcome too: nobody knows how far it got.
 * @param script the compiled child, where this file itself is not compiled
 */
export function changeInOwnProcess(
  change: Change,
  about: Omit<Order, 'change'>,
  script: string = CHILD,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script], {
      detached: true,
      windowsHide: true,
      stdio: ['pipe', 'pipe', 'ignore'],
      env: withoutKeys(process.env),
    });
    let said = '';
    child.stdout.on('data', (part: Buffer) => {
      said += part.toString('utf8');
    });
    child.stdin.on('error', () => {});
    child.on('error', () =>
      resolve({ is: 'failed', message: 'the process for tokens could not be started' }),
    );
    child.on('close', () => {
      try {
        resolve(outcome.parse(JSON.parse(said)));
      } catch {
        resolve({ is: 'failed', message: 'the process for tokens ended early' });
      }
    });
    child.stdin.end(JSON.stringify({ ...about, change } satisfies Order));
  });
}
