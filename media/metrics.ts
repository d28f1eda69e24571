import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Health } from './types.js';

export interface Metrics {
  registry: Registry;
  /** seconds to a picture */
  snapshot: Histogram;
  /** seconds to pictures of the past, by `frame` */
  stills: Histogram<'frame'>;
  /** seconds to a clip that was answered at once */
  clip: Histogram;
  stop: () => void;
}

/** Figures of this service, in a registry of its own. */
export function makeMetrics(health: () => Health): Metrics {
  const registry = new Registry();
  // Its watch on the event loop wakes the process this often, ms: at the default of 10 that was a fifth of our CPU.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 1000 });
  new Gauge({
    name: 'matthan_cameras',
    help: 'Cameras by state',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      const { recording, down, off } = health().cameras;
      this.set({ state: 'recording' }, recording);
      this.set({ state: 'down' }, down);
      this.set({ state: 'off' }, off);
    },
  });
  new Gauge({
    name: 'matthan_disk_free_bytes',
    help: "Free on the recordings' disk",
    registers: [registry],
    collect() {
      this.set(health().disk.freeBytes);
    },
  });
  const buckets = [0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 10];
  const registers = [registry];
  return {
    registry,
    snapshot: new Histogram({
      name: 'matthan_snapshot_seconds',
      help: 'Time to a picture',
      buckets,
      registers,
    }),
    stills: new Histogram({
      name: 'matthan_stills_seconds',
      help: 'Time to pictures of the past',
      labelNames: ['frame'],
      buckets,
      registers,
    }),
    clip: new Histogram({ name: 'matthan_clip_seconds', help: 'Time to a clip', buckets, registers }),
    stop: () => registry.clear(),
  };
}
