/** Every contender that runs in Node by name, and how to start it in this process. */
import type { Contender, ContenderOptions, NodeContender } from '../contender.ts';
import { DEVICES } from '../devices.ts';
import { createFirsthand } from './firsthand.ts';
import { createJax } from './jax.ts';
import { createLoops } from './loops.ts';
import { createOrtNode, createOrtWeb } from './ort.ts';
import { createProbe } from './probe.ts';
import { createTfjs } from './tfjs.ts';

export const STARTERS: { readonly [K in NodeContender]: (options: ContenderOptions) => Promise<Contender> } =
  {
    firsthand: async ({ device }) => createFirsthand(await DEVICES[device](1), { compiled: true }),
    'two-threads': async ({ device }) => createFirsthand(await DEVICES[device](2), { compiled: true }),
    uncompiled: async ({ device }) => createFirsthand(await DEVICES[device](1), { compiled: false }),
    'mul-add': () => createProbe('mul-add'),
    madd: () => createProbe('madd'),
    'tfjs-wasm': createTfjs,
    'jax-js': createJax,
    'ort-web': createOrtWeb,
    'ort-node': createOrtNode,
    loops: async () => createLoops(),
  };
