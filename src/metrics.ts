import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Chat } from './chat/chat.js';

/** What `/metrics` of the bot prints: the chat core's counts, what waits, and the process itself. */
export function makeMetrics(chat: () => Chat | null): Registry {
  const registry = new Registry();
  // Its watch on the event loop wakes the process this often, ms.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 1000 });
  new Gauge({
    name: 'matthan_chat_total',
    help: 'Counts of the chat core since the start, by what was counted',
    labelNames: ['what'],
    registers: [registry],
    collect() {
      for (const [what, count] of Object.entries(chat()?.counters ?? {})) this.set({ what }, count);
    },
  });
  new Gauge({
    name: 'matthan_chat_waiting',
    help: 'Messages waiting to be answered (inbox) and to be sent (outbox)',
    labelNames: ['queue'],
    registers: [registry],
    collect() {
      for (const [queue, count] of Object.entries(chat()?.waiting() ?? {})) this.set({ queue }, count);
    },
  });
  return registry;
}
