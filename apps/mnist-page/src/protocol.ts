/**
 * What the page and its worker say to each other. Devices and training live in the worker, since two of the
 * three devices compute while they are called and would hold up every frame of the page; the page draws, and
 * sends images to be read.
 */
import type { DeviceName } from 'mnist/devices';
import type { Digits } from 'mnist/digits';
import type { Settings } from 'mnist/settings';

/** The devices that the page offers: the terminal's, and the GPU. */
export type PageDevice = DeviceName | 'webgpu';

/** What was under way when something failed. */
export type Stage = 'loading' | 'opening' | 'training' | 'reading';

/** From the page to the worker. */
export type Request =
  | { readonly kind: 'start'; readonly device: PageDevice; readonly settings: Settings }
  | { readonly kind: 'stop' }
  /** pixels: (n · 784) bytes, images to be read by the network as it is now */
  | { readonly kind: 'read'; readonly id: number; readonly pixels: Uint8Array };

/** What a training is about to do. */
export interface Beginning {
  readonly device: string;
  /** What the device computes with, if that is known. */
  readonly hardware: string | null;
  readonly parameters: number;
  /** In all epochs together. */
  readonly steps: number;
}

/** How far a training is. */
export interface Advance {
  /** The epoch under way, counted from 0. */
  readonly epoch: number;
  readonly step: number;
  readonly examplesPerSecond: number;
  /** The steps whose losses have arrived since the last report, and those losses. */
  readonly steps: readonly number[];
  readonly losses: readonly number[];
}

/** What an epoch came to. */
export interface EpochResult {
  /** Counted from 0. */
  readonly epoch: number;
  readonly loss: number;
  /** Shares of the images read rightly, in training and afterwards of the test images. */
  readonly trainingAccuracy: number;
  readonly testAccuracy: number;
  readonly seconds: number;
  readonly examplesPerSecond: number;
}

/** From the worker to the page. */
export type Report =
  | { readonly kind: 'loaded'; readonly test: Digits }
  | { readonly kind: 'began'; readonly beginning: Beginning }
  | { readonly kind: 'advanced'; readonly advance: Advance }
  | { readonly kind: 'epoch'; readonly result: EpochResult }
  | { readonly kind: 'ended'; readonly stopped: boolean }
  /** probabilities: (n · 10), null as long as there is no network */
  | { readonly kind: 'readings'; readonly id: number; readonly probabilities: Float32Array | null }
  | { readonly kind: 'failed'; readonly stage: Stage; readonly message: string };
