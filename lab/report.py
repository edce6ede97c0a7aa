"""What a campaign found: a line for each scenario on the terminal, and one page of HTML with a picture of each."""

import html
import time

WIDTH, LEFT, ROW = 900, 110, 22
ROWS = (("write", "writes", "#1f6f43"), ("read", "reads", "#2b5c9e"), ("no", "not served", "#b3261e"), ("probe-a", "PostgreSQL a", "#6b4fa0"), ("probe-b", "PostgreSQL b", "#a0701f"))


def line(result):
    """One scenario, for people."""
    head = f"{'ok  ' if not result['wrong'] else 'FAIL'} {result['name']:30}"
    if "acked" in result:
        head += (f" acked {result['acked']:5} reads {result['reads']:5} unknown {result['unknown']:3} lost {len(result['lost'])} stale {len(result['stale'])} torn {len(result['torn'])}"
                 f" two primaries {result['two_primaries']} | gap: writes {result['write_gap']:4.1f} s, reads {result['read_gap']:4.1f} s | RPO {rpo(result)}")
    print(f"{head} | {result['seconds']:.0f} s", flush=True)
    for answer, seen in result.get("told", {}).get("answers", {}).items():
        print(f"       told {answer}: {seen['count']} times, after {seen['longest']:.1f} s at most")
    for why in result["wrong"]:
        print(f"       {why}")


def rpo(result):
    """What was lost of what was acknowledged."""
    lost = len(result["lost"]) + result["probes_lost"] + result["unread"]
    return "0" if lost == 0 else f"{lost} acts"


def picture(result):
    """Time from left to right: how much was acknowledged in each quarter second, and what was done when."""
    begun, dots = result["begun"], result["dots"]
    moments = [moment for times in dots.values() for moment in times]
    first, last = min(moments), max(moments)
    at = lambda moment: LEFT + (moment - first) / max(1e-9, last - first) * (WIDTH - LEFT - 10)  # noqa: E731
    height = 60 + ROW * len(ROWS) + 14 * len(result["marks"])
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" aria-label="{html.escape(result["name"])}: what was acknowledged when" font-family="sans-serif" font-size="12">']
    for number, (kind, name, colour) in enumerate(ROWS):
        top = 10 + ROW * number
        parts.append(f'<text x="0" y="{top + 14}">{name}</text><line x1="{LEFT}" x2="{WIDTH - 10}" y1="{top + 18}" y2="{top + 18}" stroke="#ddd"/>')
        counts = {}
        for moment in dots[kind]:
            counts[int((moment - first) * 4)] = counts.get(int((moment - first) * 4), 0) + 1
        most = max(counts.values(), default=1)
        for slot, count in counts.items():
            tall = max(2.0, 16 * count / most)
            parts.append(f'<rect x="{at(first + slot / 4):.1f}" y="{top + 18 - tall:.1f}" width="2" height="{tall:.1f}" fill="{colour}"/>')
    bottom = 10 + ROW * len(ROWS) + 8
    for second in range(int(first - begun) // 10 * 10, int(last - begun) + 1, 10):
        if first <= begun + second <= last:
            parts.append(f'<text x="{at(begun + second):.1f}" y="{bottom + 12}" text-anchor="middle" fill="#666">{second:+d} s</text>')
    for number, (moment, text) in enumerate(result["marks"]):
        x, y = at(min(last, moment)), bottom + 30 + 14 * number
        anchor = "end" if x > WIDTH * 0.7 else "start"
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="6" y2="{y - 4}" stroke="#888" stroke-dasharray="3 3"/>'
                     f'<text x="{x + (4 if anchor == "start" else -4):.1f}" y="{y}" text-anchor="{anchor}">{moment - begun:+.1f} s {html.escape(text)}</text>')
    return "".join([*parts, "</svg>"])


def page(results):
    """The whole campaign."""
    rows, pictures = [], []
    for result in results:
        said = "held" if not result["wrong"] else "; ".join(result["wrong"])
        if "acked" not in result:
            rows.append(f"<tr><td>{html.escape(result['name'])}<td>{html.escape(result['about'])}<td colspan=9><td>{html.escape(said)}")
            continue
        figures = (result["acked"], result["reads"], result["unknown"], len(result["lost"]), len(result["stale"]), len(result["torn"]), result["two_primaries"],
                   f"{result['write_gap']:.1f}", f"{result['read_gap']:.1f}")
        rows.append(f"<tr><td>{html.escape(result['name'])}<td>{html.escape(result['about'])}" + "".join(f"<td class=n>{figure}" for figure in figures) + f"<td>{html.escape(said)}")
        told = "".join(f"<li>{html.escape(answer)}: {seen['count']} times, after {seen['longest']:.1f} s at most" for answer, seen in result["told"]["answers"].items())
        pictures.append(f"<h2>{html.escape(result['name'])}</h2><p>{html.escape(result['about'])}. RPO {rpo(result)}.</p>{picture(result)}<ul>{told}</ul>")
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Two sites: what failed and what clients saw</title>
<style>body{{font:15px/1.45 sans-serif;max-width:1100px;margin:2em auto;padding:0 1em}}td,th{{padding:.25em .6em;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}}
.n{{text-align:right}}table{{border-collapse:collapse}}svg{{max-width:100%;height:auto}}</style>
<h1>Two sites: what failed and what clients saw</h1><p>{time.strftime('%d %B %Y, %H:%M UTC', time.gmtime())}. Network namespaces on one machine: ratios and order of magnitude are what counts.
Gaps are the longest time without one acknowledgement to any client, in seconds, from the event to the healing.</p>
<table><tr><th>scenario<th>what was done<th>writes<th>reads<th>unknown<th>lost<th>stale<th>torn<th>two primaries<th>gap, writes<th>gap, reads<th>promise{''.join(rows)}</table>
{''.join(pictures)}</html>
"""
