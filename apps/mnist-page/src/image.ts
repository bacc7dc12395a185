/**
 * Images of digits, as PNG: ink with the pixel's byte as its opacity, so that paper and ink are the style
 * sheet's to choose. Unlike a canvas, an image comes back by itself where a lost GPU took it away.
 */
import { PIXELS } from 'mnist/digits';

const SIDE = Math.sqrt(PIXELS);

/** Shows an image, (28 · 28) bytes; nothing for null. */
export function showImage(element: HTMLImageElement, pixels: Uint8Array | null): void {
  element.hidden = pixels === null;
  if (pixels === null) return;
  const canvas = Object.assign(document.createElement('canvas'), { width: SIDE, height: SIDE });
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  const image = context.createImageData(SIDE, SIDE);
  for (let pixel = 0; pixel < PIXELS; pixel++) image.data[4 * pixel + 3] = pixels[pixel]!;
  context.putImageData(image, 0, 0);
  element.src = canvas.toDataURL();
}
