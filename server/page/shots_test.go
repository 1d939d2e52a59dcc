package page

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"groupcast/loop"
	"groupcast/loop/pattern"
	"groupcast/server/monitor"
)

// states are what the page can look like, for pictures and for axe.
var states = []struct {
	name, word string // word is what the page says of the state
	make       func(*backend)
}{
	{"idle", "ok", func(b *backend) { b.idle = true; b.status.TopGroups = nil; b.lived(110) }},
	{"load", "ok", loaded},
	{"stalled-reader", "ok", func(b *backend) {
		loaded(b)
		b.backlog = 0
		b.fixed = func(s *monitor.Status) {
			since := min(max(time.Since(s.TakenAt), 0), 40*time.Second)
			s.Total.BacklogSessions, s.Total.BacklogBytes = 1, int(1<<20-since.Seconds()*26_000)
			s.Reactors[1].BacklogSessions, s.Reactors[1].BacklogBytes = 1, s.Total.BacklogBytes
			s.Total.LatencyP99, s.Reactors[1].LatencyP99 = 0.18, 0.18
			s.Total.SlowReaders = 2
		}
		b.lived(110)
		b.happen(monitor.EventSlowReaders, "", 2, 50*time.Second, time.Second)
	}},
	{"cluster", "ok", func(b *backend) {
		loaded(b)
		clustered(b)
		b.happen(monitor.EventNodeGone, "push-4", 0, 90*time.Second, 0)
		b.happen(monitor.EventNodeSilent, "push-3", 0, 3*time.Second, 0)
	}},
	{"cluster-away", "ok", func(b *backend) {
		loaded(b)
		clustered(b)
		c := b.status.Cluster
		c.State, c.Joined, c.Server, c.RoundTrip = "away", false, "", 0
		for i := range c.Nodes {
			c.Nodes[i].State = monitor.NodeUnknown
		}
		b.happen(monitor.EventBusAway, "away", 0, 9*time.Second, 9*time.Second)
	}},
	{"locked", "locked", func(b *backend) { b.token = "secret" }},
	{"stopped", "unreachable", loaded},
	{"draining", "draining", func(b *backend) {
		loaded(b)
		b.status.State = monitor.StateDraining
		for i := range b.status.Reactors {
			b.status.Reactors[i].State = monitor.StateDraining
		}
		for i := range b.status.Listeners {
			b.status.Listeners[i].State = monitor.ListenerClosed
		}
		b.happen(monitor.EventDraining, "", 0, 8*time.Second, 8*time.Second)
	}},
	{"stalled-loop", "stalled", func(b *backend) {
		loaded(b)
		b.status.State, b.status.Reactors[1].State = monitor.StateStalled, monitor.StateStalled
		b.happen(monitor.EventStalled, "1", 0, 9*time.Second, 9*time.Second)
	}},
}

// clustered is a node whose others are in all states.
func clustered(b *backend) {
	b.status.Cluster = &monitor.Cluster{
		Node: "push-1", Epoch: "0123456789abcdef", State: monitor.ClusterUp, Since: time.Now().Add(-time.Hour),
		Server: "10.0.0.7:4222", Reconnects: 2, RoundTrip: 0.00042, Joined: true,
		LastError:  "dial tcp 10.0.0.7:4222: connect: connection refused",
		MessagesIn: 1_234_567, MessagesOut: 2_345_678, MessagesAvoided: 999, MessagesLost: 3, LossesTold: 2, SlowConsumer: 1,
		BufferedBytes: 70000, LagSeconds: 0.02, Subjects: 1200, WaitingJoins: 4,
		Nodes: []monitor.ClusterNode{
			{
				Name: "push-2", Version: "1.2.3", Host: "push-2.example.org", State: monitor.NodeUp, Sessions: 9421,
				Groups: 1200, LagSeconds: 0.0003, HeardSeconds: 0.4, Joined: true,
			},
			{Name: "push-3", Version: "1.2.3", Host: "push-3", State: monitor.NodeSilent, HeardSeconds: 3.2},
			{Name: "push-4", Version: "1.2.2", Host: "push-4", State: monitor.NodeGone, HeardSeconds: 1200},
			{Name: "push-5", Version: "1.2.2", Host: "push-5", State: monitor.NodeLeft, HeardSeconds: 60},
		},
	}
}

func loaded(b *backend) {
	b.status.TopGroups = append(b.status.TopGroups,
		monitor.Group{Name: "  two blanks, then\na line", Members: 12}, monitor.Group{Name: longName, Members: 3},
		monitor.Group{Name: " ", Members: 1})
	b.status.Refused = 1241
	b.status.Channel = &monitor.Channel{Connections: 3, Channels: 2, EventsIn: 4242, EventsOut: 9001}
	b.lived(110)
	b.happen(monitor.EventReload, "--log-level", 0, 100*time.Second, 0)
	b.happen(monitor.EventRefused, "connections_per_ip", 1234, 80*time.Second, 7*time.Second)
	b.happen(monitor.EventCommandErrors, "bad_group", 2, 20*time.Second, 0)
}

// longName is as long as a group's name may be.
var longName = fmt.Sprintf("%0256d", 7)

// testShots writes a picture of each state to $PAGE_SHOTS, for people to look at:
// make shots.
func testShots(s scene) {
	dir := os.Getenv("PAGE_SHOTS")
	if dir == "" {
		s.t.Skip("PAGE_SHOTS names no directory")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	for _, state := range states {
		s.t.Run(state.name, func(t *testing.T) {
			t.Parallel()
			p := openState(t, s, state.make, state.word)
			if state.word == "unreachable" {
				p.until(`[...document.querySelectorAll("#chart-sessions .gap")].at(-1)?.getAttribute("width") > 15`)
			}
			p.shots(dir, state.name)
			if state.name == "load" {
				p.screenshots(dir)
			}
		})
	}
	s.t.Run("dialogs", func(t *testing.T) {
		t.Parallel()
		p, r := openReal(scene{t, s.browser})
		for range 60 {
			send(t, dial(t, r.ws), map[string]any{"cmd": "add_group", "group_id": "crowd"})
		}
		user := r.identifySome(t)
		p.typeInto("#listen-group", "a room of one's own"+kb.Enter)
		p.text("#listen-state", "Listening")
		p.typeInto("#say-message", "Good morning"+kb.Enter)
		p.text("#log", "Good morning")
		p.typeInto("#sessions-text", kb.Enter)
		p.until(`document.querySelector("#sessions tbody button")`)
		p.shots(dir, "sessions")
		p.click(fmt.Sprintf("#sessions tr[data-session=%q] th button", user))
		p.until(`document.querySelector("#session-groups button")`)
		p.shots(dir, "dialog-user")
		p.click("#session-close")
		p.typeInto("#find-group", "a room of one's own"+kb.Enter)
		p.click("#group-sessions button")
		p.until(`document.querySelector("#session-groups button")`)
		p.shots(dir, "dialog-session")
		p.click("#session-shut")
		p.until(`document.getElementById("ask").open`)
		p.shots(dir, "dialog-ask")
		p.click("#ask [value=no]")
		p.click("#session-groups button")
		p.text("#group-members", "1 member")
		p.shots(dir, "dialog-group")
		p.click("#group-close")
		p.typeInto("#find-group", "crowd"+kb.Enter)
		p.until(`!document.getElementById("group-more").hidden`)
		p.shots(dir, "dialog-group-crowd")
	})
}

// identifySome gives some sessions tokens, of users with names of all lengths, and returns one of
// them with grants.
func (r realAPI) identifySome(t *testing.T) loop.SessionID {
	t.Helper()
	var all []loop.SessionInfo
	if !wait(func() bool {
		page, _, err := r.engine.Sessions(t.Context(), loop.SessionID{}, 100)
		all = page
		return err == nil && len(page) == 60
	}) {
		t.Fatal("not all are there")
	}
	for i, name := range []string{
		"7", "customer-4711", "someone.with.a.long.name@mail.example.org", "Jörg  Ö.", strings.Repeat("0123456789", 25),
	} {
		grants := &loop.Grants{}
		for list, to := range map[string]*pattern.Set{
			"crowd room:* news:today news:sports user:" + name: &grants.Join, "room:*": &grants.Publish,
		} {
			patterns, err := pattern.Parse(strings.Split(list, " ")[:min(i+1, strings.Count(list, " ")+1)], "")
			if err != nil {
				t.Fatal(err)
			}
			*to = patterns
		}
		left := []time.Duration{45 * time.Second, 55 * time.Minute, 30 * 24 * time.Hour, 0, 8 * time.Hour}[i]
		who := &loop.Identity{User: name, Grants: grants}
		if left > 0 {
			who.Expires = time.Now().Add(left).Unix()
		}
		if err := r.engine.Identify(t.Context(), all[i].ID, who); err != nil {
			t.Fatal(err)
		}
	}
	return all[2].ID
}

// openState opens the page in a state, and waits until it shows it.
func openState(t *testing.T, s scene, change func(*backend), word string) *tab {
	t.Helper()
	b := startBackend(t, "0.0.0.0:1234")
	b.change(change)
	p := openTab(t, s.browser, b.url, "/v1/")
	if word == "unreachable" {
		p.text("#state", "ok")
		b.change(func(b *backend) { b.gone = true })
	}
	p.text("#state", word)
	if word != "locked" {
		p.until(`document.querySelector("#chart-backlog .line, #chart-backlog .dot")`)
	}
	return p
}

// shots are pictures of what a tab shows, narrow and wide, light and dark.
func (p *tab) shots(dir, name string) {
	p.t.Helper()
	for _, width := range []int64{390, 1280} {
		p.do(chromedp.EmulateViewport(width, map[int64]int64{390: 844, 1280: 900}[width]))
		p.until(fmt.Sprintf("innerWidth === %d", width))
		for _, theme := range []string{"light", "dark"} {
			p.colours(theme)
			shot := chromedp.FullScreenshot(100)
			if strings.HasPrefix(name, "dialog") {
				shot = chromedp.CaptureScreenshot() // as it lies over the page
			}
			picture, err := chromedp.Run(p.ctx, shot)
			if err != nil {
				p.t.Fatal(err)
			}
			file := filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, width, theme))
			if err := os.WriteFile(file, picture, 0o600); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}

// screenshots are README's two: what is seen first, small.
func (p *tab) screenshots(dir string) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(960, 900))
	p.until("innerWidth === 960")
	for _, theme := range []string{"light", "dark"} {
		p.colours(theme)
		picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			p.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "readme-"+theme+".png"), picture, 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
}

// click presses a button without moving a mouse, which other tests share.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.until(fmt.Sprintf("document.querySelector(%s)?.checkVisibility()", quoted(selector)))
	eval[bool](p, fmt.Sprintf("{const e = document.querySelector(%s); e.focus(); e.click(); true}", quoted(selector)))
}
