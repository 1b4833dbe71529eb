/** Whether there is a graphics processor that is worth asking. */
import { NoGpu } from "../words";

/** software: also processors that only pretend. Rejects with NoGpu. */
export async function adapterFor(software: boolean): Promise<GPUAdapter> {
  if (typeof navigator === "undefined" || !navigator.gpu) {
    throw new NoGpu("gpu_browser");
  }
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new NoGpu("gpu_none");
  if (adapter.info.isFallbackAdapter && !software) {
    throw new NoGpu("gpu_simulated");
  }
  return adapter;
}
