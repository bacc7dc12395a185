/** What a page knows of the GPU that it computes on, and whether it is one. */
import type { PageSetting } from '../results.ts';

/** What adapters that compute on the processor call themselves: Chromium's, Mesa's and Windows' own. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|basic render|\bwarp\b/i;

/** The part of an adapter's description that is looked at. */
export interface AdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** Missing in older browsers. */
  readonly isFallbackAdapter?: boolean;
}

/** All that the browser tells, from vendor to description. */
export function adapterName({ vendor, architecture, device, description }: AdapterInfo): string {
  const parts = [vendor, architecture, device, description].filter((part) => part !== '');
  return parts.length > 0 ? parts.join(', ') : 'an adapter without a name';
}

export function isSoftware(info: AdapterInfo): boolean {
  return info.isFallbackAdapter === true || SOFTWARE.test(adapterName(info));
}

/** This page and its adapter, or null where there is none. */
export async function describePage(): Promise<PageSetting | null> {
  // Older browsers, and pages from elsewhere than this machine, have no WebGPU.
  const gpu = (navigator as { readonly gpu?: GPU }).gpu;
  const adapter = (await gpu?.requestAdapter()) ?? null;
  if (adapter === null) return null;
  return {
    browser: navigator.userAgent,
    adapter: adapterName(adapter.info),
    software: isSoftware(adapter.info),
    features: [...adapter.features].toSorted(),
  };
}
