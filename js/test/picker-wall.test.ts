import { describe, expect, it } from "vitest";
import { credit } from "../src/image-picker/credit";
import { Photos } from "../src/image-picker/photos";
import type { Item, PickerShell } from "../src/image-picker/state";

const wall = new Photos({
  kinds: [
    {
      names: ["jay", "어치"],
      families: ["animal", "bird"],
      words: ["jay", "어치", "animal", "bird", "동물", "새"],
    },
    {
      names: ["catamaran", "쌍동선"],
      families: ["vehicle"],
      words: ["catamaran", "쌍동선", "vehicle", "탈것"],
    },
    {
      names: ["Egyptian cat", "이집트고양이"],
      families: ["animal", "cat"],
      words: ["Egyptian cat", "이집트고양이", "animal", "cat", "동물", "고양이"],
    },
  ],
  families: { animal: "animal", bird: "bird", vehicle: "vehicle", cat: "cat" },
  photos: [
    ["jay-1", 0, "Anna Käfer"],
    ["jay-2", 0, "Bird Man"],
    ["catamaran-1", 1, "C. Jay"],
    ["egyptian-cat-1", 2, "D"],
  ],
});
const names = (words: string, family?: string) =>
  wall.search(words, family).map((place) => wall.all[place]?.name);

describe("the wall's words", () => {
  it("find by class in both languages, by family, author and name", () => {
    expect(names("어치")).toEqual(["jay-1", "jay-2"]);
    expect(names("동물 고양이")).toEqual(["egyptian-cat-1"]);
    expect(names("KÄFER")).toEqual(["jay-1"]);
    expect(names("jay-2")).toEqual(["jay-2"]);
    expect(names("unicorn")).toEqual([]);
    expect(names("  ")).toHaveLength(4);
  });

  it("find Korean however it was composed", () => {
    const apart = "어치".normalize("NFD");
    expect(apart).not.toBe("어치");
    expect(names(apart)).toEqual(["jay-1", "jay-2"]);
  });

  it("put whole words of the class before parts and authors", () => {
    expect(names("cat")).toEqual(["egyptian-cat-1", "catamaran-1"]);
    expect(names("jay")).toEqual(["jay-1", "jay-2", "catamaran-1"]);
  });

  it("stay within a family", () => {
    expect(names("", "bird")).toEqual(["jay-1", "jay-2"]);
    expect(names("jay", "vehicle")).toEqual(["catamaran-1"]);
    expect(wall.families.map(({ key, count }) => [key, count])).toEqual([
      ["animal", 3],
      ["bird", 2],
      ["cat", 1],
      ["vehicle", 1],
    ]);
  });
});

describe("an attribution", () => {
  const say = ((key: string, values: Record<string, string> = {}) =>
    `${key}${values["author"] ?? ""}`) as PickerShell["say"];
  const shown = (item: Partial<Item>) => {
    const p = document.createElement("p");
    p.append(...credit({ id: "x", label: "x", credit: "", ...item }, say));
    return p;
  };
  const known = { author: "<b>A</b>", licence: "CC-BY-2.0", credit: "A, CC-BY-2.0" };

  it("leads to the photo's page and to the licence", () => {
    const links = shown({ ...known, source: "https://a.b/c", licence_url: "https://l.m/" });
    const found = [...links.querySelectorAll("a")];
    expect(found.map((a) => a.getAttribute("href"))).toEqual(["https://a.b/c", "https://l.m/"]);
    expect(found.every((a) => a.rel === "noopener noreferrer" && a.target === "_blank")).toBe(true);
    expect(links.textContent).toBe(" · photo_by<b>A</b> · CC-BY-2.0");
    expect(links.querySelector("b")).toBeNull();
  });

  it("is text where there is no address of the web", () => {
    const links = shown({ ...known, source: "javascript:alert(1)", licence_url: "" });
    expect(links.querySelector("a")).toBeNull();
    expect(links.textContent).toContain("CC-BY-2.0");
  });

  it("is the credit where that is all there is, and the problem where there is one", () => {
    expect(shown({ credit: "me, CC0" }).textContent).toBe(" · me, CC0");
    expect(shown({ ...known, problem: "It is empty." }).textContent).toBe(" · It is empty.");
    expect(shown({}).textContent).toBe("");
  });
});
