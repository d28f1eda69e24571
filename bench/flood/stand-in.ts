/** The stand-in of Zalo in a process of its own, with everybody who writes in a flood. Lives as long as its parent. */
import process from 'node:process';
import { ZaloServer } from '../../test/support/zalo-server.js';
import { floodPeople } from './people.js';

export interface StandIn {
  root: string;
  tokens: { accessToken: string; refreshToken: string; lifetimeS: number };
}

const zalo = await ZaloServer.start();
for (const writer of ['officer', 'household', 'stranger', 'machine'] as const)
  for (const about of floodPeople(writer)) {
    const { state } = zalo.person(about);
    // what they write is posted by the sender: here they only may be answered
    state.lastInteractionMs = Date.now();
  }
const { accessToken, refreshToken, lifetimeS } = zalo.tokens;
process.send?.({ root: zalo.root, tokens: { accessToken, refreshToken, lifetimeS } } satisfies StandIn);
process.on('disconnect', () => void zalo.stop().then(() => process.exit()));
