/**
 * Where a page finds the libraries to compare with: each a file of its own, built from `peers/` and loaded
 * only if it takes part.
 */
import type { OURS, PageContender } from '../contender.ts';

export type PagePeer = Exclude<PageContender, typeof OURS>;

export const PEER_PATHS: { readonly [K in PagePeer]: string } = {
  'tfjs-webgpu': '/peers/tfjs-webgpu.js',
  'jax-js': '/peers/jax-js.js',
};
