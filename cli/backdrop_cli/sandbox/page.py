"""The sandbox's page: recent runs with before and after side by side, prices, and the trouble in force.

Promises one document without outside resources that renews its middle every two seconds (and, without scripts, reloads
every five); every text of a client is escaped.
"""

from html import escape

from backdrop_cli.sandbox.state import Shown, State

_STYLE = """
:root{color-scheme:light dark;--ink:#1c1f24;--dim:#69707d;--paper:#f5f4f1;--card:#fff;--line:#e2e0da;
--good:#1d7a46;--bad:#b3261e;--busy:#8a5a00;--a:#fff;--b:#dcdad4}
@media(prefers-color-scheme:dark){:root{--ink:#eceae4;--dim:#9aa0aa;--paper:#17181b;--card:#212327;
--line:#34373d;--good:#6fd09a;--bad:#ff8a80;--busy:#f0bd62;--a:#3a3d43;--b:#2b2d32}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.45 system-ui,-apple-system,"Segoe UI",sans-serif}
main,header{max-width:1240px;margin:0 auto;padding:0 20px}
header{padding-top:26px}
h1{font-size:22px;margin:0;letter-spacing:-.01em}
header p{margin:4px 0 0;color:var(--dim)}
.sums{display:flex;flex-wrap:wrap;gap:10px;margin:18px 0}
.sum{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px 16px;min-width:136px}
.sum b{display:block;font-size:21px;font-variant-numeric:tabular-nums}
.sum span{color:var(--dim);font-size:13px}
.trouble{border:1px solid var(--busy);border-left-width:5px;border-radius:10px;padding:10px 16px;
margin:0 0 18px;background:var(--card)}
.trouble code{margin-right:14px;white-space:nowrap}
.calm{color:var(--dim);margin:0 0 18px}
.runs{display:grid;grid-template-columns:repeat(auto-fill,minmax(330px,1fr));gap:16px;padding-bottom:40px}
.run{background:var(--card);border:1px solid var(--line);border-radius:12px;overflow:hidden}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1px;background:var(--line)}
figure{margin:0;position:relative;height:168px;display:grid;place-items:center;background:var(--card)}
figure.none{color:var(--dim);font-size:13px}
img{max-width:100%;max-height:168px;display:block;
background:conic-gradient(var(--b) 25%,var(--a) 0 50%,var(--b) 0 75%,var(--a) 0) 0 0/18px 18px}
figcaption{position:absolute;left:6px;bottom:6px;font-size:11px;padding:1px 7px;border-radius:8px;
background:#000a;color:#fff}
.text{padding:11px 14px 13px}
.top{display:flex;justify-content:space-between;gap:10px;align-items:baseline}
.model{font-weight:600;overflow-wrap:anywhere}
.status{font-size:13px;font-weight:600;white-space:nowrap;color:var(--busy)}
.status.good{color:var(--good)}.status.bad{color:var(--bad)}
.more{color:var(--dim);font-size:13px;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.note{color:var(--bad);font-size:13px;overflow-wrap:anywhere}
.empty{padding:60px 0;text-align:center;color:var(--dim)}
"""

_SCRIPT = """
const middle=document.getElementById('middle');
setInterval(async()=>{try{const reply=await fetch('/_sandbox/page');if(!reply.ok)return;const text=await reply.text();
if(text!==middle.dataset.last){middle.innerHTML=text;middle.dataset.last=text}}catch{}},2000);
"""

_GOOD = frozenset({"succeeded", "completed", "partial_succeeded"})
_BAD = frozenset({"failed", "cancelled"})


def render(state: State) -> str:
    """The whole document."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Provider sandbox</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<noscript><meta http-equiv="refresh" content="5"></noscript><style>{_STYLE}</style></head>
<body><header><h1>Provider sandbox</h1>
<p>Runflow, BackgroundCut and ImagePipeline on this one origin. Nothing here costs money: every price is pretended.</p>
</header>
<main id="middle">{render_body(state)}</main><script>{_SCRIPT}</script></body></html>"""


def render_body(state: State) -> str:
    """The part that is renewed."""
    runs = "".join(_run(one) for one in reversed(state.shown.values()))
    if not runs:
        runs = '<p class="empty">No runs yet. They appear here as soon as something is posted.</p>'
    return f'{_sums(state)}{_trouble(state)}<section class="runs">{runs}</section>'


def _sums(state: State) -> str:
    seen = list(state.shown.values())
    sums = {
        "paid posts accepted": state.ledger.count,
        "requests": state.requests.count,
        "callbacks sent": state.outbox.sent,
        "callbacks lost": state.outbox.lost,
        "at work now": sum(one.status not in _GOOD | _BAD for one in seen),
        "failed (of those below)": sum(one.status in _BAD for one in seen),
    }
    cells = "".join(f'<div class="sum"><b>{count}</b><span>{name}</span></div>' for name, count in sums.items())
    return f'<div class="sums">{cells}</div>'


def _trouble(state: State) -> str:
    fired = state.board.told()["fired"]
    if not fired:
        return '<p class="calm">No trouble is switched on.</p>'
    items = "".join(f"<code>{escape(name)} &times; {count}</code>" for name, count in fired.items())
    return f'<p class="trouble"><b>Trouble in force</b> (and how often it has happened)<br>{items}</p>'


def _run(shown: Shown) -> str:
    mood = "good" if shown.status in _GOOD else "bad" if shown.status in _BAD else ""
    took = f"{shown.ms / 1000:.1f} s" if shown.ms is not None else ""
    facts = " · ".join(escape(one) for one in (shown.provider, took, shown.price, shown.reference[:120]) if one)
    note = f'<div class="note">{escape(shown.note[:300])}</div>' if shown.note else ""
    return (
        f'<article class="run"><div class="pair">{_picture(shown, "before")}{_picture(shown, "after")}</div>'
        f'<div class="text"><div class="top"><span class="model">{escape(shown.model)}</span>'
        f'<span class="status {mood}">{escape(shown.status)}</span></div>'
        f'<div class="more">{facts}</div>{note}</div></article>'
    )


def _picture(shown: Shown, which: str) -> str:
    if not (shown.before if which == "before" else shown.after):
        return (
            f'<figure class="none">no “{which}” yet</figure>' if not shown.note else '<figure class="none">—</figure>'
        )
    source = f"/_sandbox/thumbnails/{escape(shown.id)}/{which}.webp"
    return f'<figure><img src="{source}" alt="{which}: {escape(shown.model)}"><figcaption>{which}</figcaption></figure>'
