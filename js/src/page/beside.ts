/** Files beside the page: scripts, for a page on a disk may read nothing else. */

/** What a script gives the pages as `zfFiles[name]`, and keeps nothing of. lost: what is said where it is not. */
export async function beside(address: string, name: string, lost: string): Promise<unknown> {
  const script = document.createElement("script");
  script.src = address;
  await new Promise((done, fail) => {
    script.onload = done;
    script.onerror = () => fail(new Error(lost));
    document.head.append(script);
  });
  script.remove();
  const shared = (globalThis as { zfFiles?: Record<string, unknown> }).zfFiles ?? {};
  const found = shared[name];
  delete shared[name];
  return found;
}
