package page

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"groupcast/server/monitor"
)

// The charts are full at once: for the first viewer, after a reload, for a second one.
func testHistory(s scene) {
	t, browser := s.t, s.browser
	b := startBackend(t, "0.0.0.0:1234")
	b.change(func(b *backend) {
		b.lived(monitor.HistorySamples)
		b.happen(monitor.EventRefused, "connections_per_ip", 1234, 90*time.Second, 7*time.Second)
		b.happen(monitor.EventReload, "--log-level", 0, 60*time.Second, 0)
		b.happen(monitor.EventSlowReaders, "", 1, 30*time.Second, 0)
	})
	const full = `Number(document.querySelector("#chart-%s svg")?.dataset.points) > 100`
	for range 2 {
		p := openTab(t, browser, b.url)
		for range 2 {
			for _, id := range []string{"sessions", "deliveries", "latency", "backlog", "memory", "cpu"} {
				p.until(fmt.Sprintf(full, id))
			}
			p.until(`document.querySelector("#chart-backlog svg").dataset.marks === "3"`)
			p.until(`document.querySelectorAll("#chart-sessions .mark.band").length === 3`)
			p.until(`document.querySelectorAll("#events li").length === 3 && document.getElementById("events-empty").hidden`)
			p.text("#events li:nth-child(1)", "1 slow reader closed")
			p.text("#events li:nth-child(1)", "--max-backlog")
			p.text("#events li:nth-child(2)", "changed: --log-level")
			p.text("#events li:nth-child(3)", "1,234 connections refused with 503")
			p.text("#events li:nth-child(3)", "--max-conns-per-ip")
			p.text("#events li:nth-child(3)", "ago, for 7 s")
			p.do(chromedp.Reload())
		}
	}
}

// Something that has just happened is shown without a reload, and what was sampled while
// the page could not ask is filled in.
func testHappening(s scene) {
	t, browser := s.t, s.browser
	b := startBackend(t, "0.0.0.0:1234")
	p := openTab(t, browser, b.url, "/v1/")
	p.text("#state", "ok")
	p.until(`!document.getElementById("events-empty").hidden && document.getElementById("events").hidden`)
	b.change(func(b *backend) {
		b.status.Refused += 3
		b.happen(monitor.EventRefused, "handshakes", 3, 0, 0)
	})
	p.text("#events", "3 connections refused with 503")
	p.until(`document.querySelector("#chart-sessions .mark")`)

	b.change(func(b *backend) { b.gone = true })
	p.until(`document.querySelector("#chart-sessions .gap")`)
	b.change(func(b *backend) {
		b.gone, b.steady = false, true
		b.lived(100)
	})
	p.until(`document.querySelector("#chart-sessions svg").dataset.gaps === "0" &&
		document.querySelector("#chart-sessions svg").dataset.points > 90`)
}

// Every kind of event has words, which end well, and a name of it is not shown raw.
func testWords(s scene) {
	t, browser := s.t, s.browser
	b := startBackend(t, "0.0.0.0:1234")
	kinds := []string{
		monitor.EventSlowReaders, monitor.EventRateClosed, monitor.EventIdleClosed, monitor.EventCutSessions,
		monitor.EventPanics,
		monitor.EventRefused, monitor.EventAcceptErrors, monitor.EventCommandErrors, monitor.EventOverloaded,
		monitor.EventChannelDropped,
		monitor.EventBadFrames, monitor.EventNotForwarded, monitor.EventJoinLost, monitor.EventStalled, monitor.EventDraining,
		monitor.EventReload, monitor.EventReloadRefused, monitor.EventBusAway, monitor.EventBusLost, monitor.EventBusLosses,
		monitor.EventBusSlow, monitor.EventNameTaken, monitor.EventNodeSilent, monitor.EventNodeGone, monitor.EventNodeLeft,
		monitor.EventJoinTwice,
	}
	b.change(func(b *backend) {
		for i, kind := range kinds {
			cause := map[string]string{
				monitor.EventRefused: "connections", monitor.EventCommandErrors: "bad_group",
				monitor.EventStalled: "1",
			}[kind]
			b.happen(kind, cause, 2, time.Duration(len(kinds)-i)*time.Second, 0)
		}
		b.happen("from_tomorrow", hostile, 1, 0, 0)
	})
	p := openTab(t, browser, b.url)
	p.until(fmt.Sprintf(`document.querySelectorAll("#events li").length === %d`, len(kinds)+1))
	for i, kind := range kinds {
		line := fmt.Sprintf("#events li:nth-child(%d)", len(kinds)+1-i)
		if why := eval[string](p, fmt.Sprintf("document.querySelector(%s).textContent",
			quoted(line+" .why"))); len(why) < 10 {
			t.Errorf("%s means %q", kind, why)
		}
		if what := eval[string](p, fmt.Sprintf("document.querySelector(%s).textContent", quoted(line+" b"))); what == kind {
			t.Errorf("%s has no words", kind)
		}
	}
	p.text("#events li:nth-child(1) b", "from_tomorrow")
}

func checkTicks(t *testing.T, p *tab, chart, want string) {
	t.Helper()
	p.until(fmt.Sprintf(`[...document.querySelectorAll("#chart-%s .tick")].map((e) => e.textContent).join() === %s`,
		chart, quoted(want)))
}

// Axes: binary steps for bytes, decades for latency, halves that are whole.
func testScales(s scene) {
	t, browser := s.t, s.browser
	b := startBackend(t, "0.0.0.0:1234")
	b.change(func(b *backend) {
		b.idle, b.fixed = true, func(s *monitor.Status) {
			s.Total.BacklogBytes, s.Total.Sessions, s.Total.DeliveriesPerSecond = 1010<<10, 11, 54_000
			s.Total.LatencyP50, s.Total.LatencyP99 = 0.00025, 0.9
		}
		b.lived(60)
	})
	p := openTab(t, browser, b.url)
	checkTicks(t, p, "backlog", "0,512 KiB,1 MiB")
	checkTicks(t, p, "sessions", "0,10,20")
	checkTicks(t, p, "deliveries", "0,30 k,60 k")
	checkTicks(t, p, "latency", "100 µs,10 ms,1 s")
	p.text("#latency-title", "log")
	p.text("#chart-backlog .range", "max 1,010 KiB")
	p.text(`#chart-latency .now`, "250 µs")
	p.text(`#chart-latency .now`, "900 ms")
	forms := eval[string](p, `import(new URL("page/format.js", document.baseURI)).then((f) => [
		...[0, 1023, 1024, 1010 * 1024, 1048500, 1536 * 1024].map((v) => f.bytes(v)),
		...[0.00012, 0.0009996, 0.0123, 1].map((v) => f.seconds(v)),
		...[0, 1, 9.96, 54321, 999600, 1.5e9].map((v) => f.short(v))].join("; "))`)
	if want := "0 B; 1,023 B; 1.00 KiB; 1,010 KiB; 1.00 MiB; 1.50 MiB; 120 µs; 1.00 ms; 12.3 ms; 1.00 s; 0; 1.0; 10; " +
		"54,321; 1.00 M; 1.50 G"; forms != want {
		t.Errorf("numbers are written\n%s, want\n%s", forms, want)
	}
	// Both are readable at once: they lie apart, and neither at the edge.
	if apart := eval[float64](p, `{
		const box = (c) => document.querySelector("#chart-latency .line." + c).getBBox().y;
		box("p50") - box("p99")}`); apart < 60 {
		t.Errorf("250 µs and 900 ms are %v px apart", apart)
	}
}

// The cards are as high with numbers as without, and their charts begin and end at the
// same place, whatever the numbers are.
func testLinedUp(s scene) {
	t, browser := s.t, s.browser
	b := startBackend(t, "0.0.0.0:1234")
	b.change(func(b *backend) { b.idle = true; b.lived(3) })
	p := openTab(t, browser, b.url)
	const measure = `JSON.stringify([...document.querySelectorAll(".charts .card")]
		.map((c) => [c.getBoundingClientRect().height,
		...[...c.querySelectorAll(".chart .axis")].map((e) => e.getBBox().x), c.querySelector(".chart").getBoundingClientRect().top].map(Math.round)))`
	for _, width := range []int64{1280, 390} {
		b.change(func(b *backend) { b.idle = true; b.lived(3) })
		p.do(chromedp.EmulateViewport(width, 900), chromedp.Reload())
		p.until(`document.querySelector('[data-now="sessions"]')?.textContent === "0" &&
			document.querySelector("#chart-backlog .axis")`)
		idle := eval[string](p, measure)
		b.change(func(b *backend) { b.idle = false })
		p.until(`document.querySelector('[data-now="p99"]').textContent.includes("ms")`)
		if load := eval[string](p, measure); load != idle {
			t.Errorf("%d px wide: idle %s, under load %s", width, idle, load)
		}
		if eval[bool](p, `new Set([...document.querySelectorAll(".charts .card")]
			.map((c) => c.querySelector(".chart .axis").getBBox().x)).size !== 1`) {
			t.Errorf("%d px wide: the charts begin at different places", width)
		}
	}
}
