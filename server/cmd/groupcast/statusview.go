package main

import (
	"fmt"
	"strings"
	"time"

	"groupcast/server/monitor"
)

// writeStatus writes a snapshot and what has happened for a person, with times in zone.
func (p paper) writeStatus(s monitor.Status, events []monitor.Event, zone *time.Location) string {
	var b strings.Builder
	columns, rows := reactorTable(s)
	widths := p.arrange(columns, rows, nil)
	doors, doorRows := listenerTable(s)
	doorWidths := p.arrange(doors, doorRows, nil)
	wide := max(widths.total(), doorWidths.total())

	p.writeRule(&b, "GROUPCAST STATUS", wide)
	p.writeOverview(&b, s, zone)
	if len(events) > 0 {
		happened, eventRows := eventTable(s, events, zone)
		p.writeRule(&b, "WHAT HAS HAPPENED", wide)
		p.writeTable(&b, happened, p.arrange(happened, eventRows, nil), eventRows)
	}
	p.writeRule(&b, "LISTENERS", wide)
	p.writeTable(&b, doors, doorWidths, doorRows)
	p.writeBridges(&b, s)
	p.writeCluster(&b, s, wide)
	p.writeRule(&b, "LOOPS", wide)
	p.writeTable(&b, columns, widths, rows[:len(rows)-1])
	p.writeRule(&b, "", wide)
	p.writeRow(&b, columns, widths, rows[len(rows)-1])
	if len(s.TopGroups) > 0 {
		groups, groupRows := groupTable(s)
		p.writeRule(&b, "LARGEST GROUPS", wide)
		p.writeTable(&b, groups, p.arrange(groups, groupRows, nil), groupRows)
	}
	p.writeRule(&b, "", wide)
	return b.String()
}

func (p paper) writeTable(b *strings.Builder, columns []column, widths layout, rows [][]cell) {
	p.writeHead(b, columns, widths)
	for _, row := range rows {
		p.writeRow(b, columns, widths, row)
	}
}

// writeOverview is what is said of the process as a whole.
func (p paper) writeOverview(b *strings.Builder, s monitor.Status, zone *time.Location) {
	p.writeFields(b,
		"groupcast version: "+printable(s.Version),
		"go version: "+printable(s.Go),
	)
	p.writeFields(b,
		fmt.Sprintf("pid: %d", s.PID),
		"host: "+printable(s.Host),
		fmt.Sprintf("cpus: %d", s.CPUs),
		fmt.Sprintf("load: %.2f %.2f %.2f", s.Load[0], s.Load[1], s.Load[2]),
	)
	p.writeFields(b,
		"started: "+s.StartedAt.In(zone).Format("2006-01-02 15:04:05"),
		"up: "+span(seconds(s.UptimeSeconds)),
		"cpu time: "+span(seconds(s.CPUSeconds)),
		"memory: "+size(s.ResidentBytes),
		budgetOf(s),
	)
	line := []cell{{"state: ", plain}, stateCell(s.State)}
	if s.State != monitor.StateOK {
		line = append(line, cell{" (" + explainState(s.State) + ")", plain})
	}
	p.writeLine(b, line)
	if words := monitor.ExplainAccess(s.Access); words != "" {
		p.writeFields(b, "clients: "+words)
	}
	p.writeFields(b,
		fmt.Sprintf("connections: %s of %s", thousands(s.Connections), thousands(s.MaxConnections)),
		"handshakes: "+thousands(s.Handshakes),
		"accepted: "+thousands(s.Accepted),
		"closed: "+thousands(s.Closed),
		some("refused", s.Refused),
		some("accept errors", s.AcceptErrors),
	)
	p.writeFields(b,
		"order: "+thousands(s.Order),
		"bytes in/s: "+size(uint64(s.Total.BytesInPerSecond)),
		"bytes out/s: "+size(uint64(s.Total.BytesOutPerSecond)),
		some("errors", s.Total.Errors),
		some("slow readers closed", s.Total.SlowReaders),
		some("ring full", s.Total.RingFull),
		some("publications waiting", uint64(s.OutsideWaiting)),
		some("publications refused", s.Overloaded),
	)
}

// budgetOf is what counts for --max-memory, where there is one.
func budgetOf(s monitor.Status) string {
	if s.MemoryLimitBytes == 0 {
		return ""
	}
	return "counted for --max-memory: " + size(s.MemoryBytes) + " of " + size(s.MemoryLimitBytes)
}

// some names a count if there is one: what never happened need not be read.
func some(name string, n uint64) string {
	if n == 0 {
		return ""
	}
	return name + ": " + thousands(n)
}

func explainState(state string) string {
	switch state {
	case monitor.StateDraining:
		return "no new clients; it ends when the last session is gone"
	case monitor.StateStalled:
		return "an event loop does not answer"
	}
	return "?"
}

func stateCell(state string) cell {
	colours := map[string]colour{
		monitor.StateOK: green, monitor.StateDraining: yellow, monitor.StateStalled: red,
		monitor.ListenerClosed: yellow,
	}
	return cell{printable(state), colours[state]}
}

func listenerTable(s monitor.Status) (columns []column, rows [][]cell) {
	columns = []column{{title: "proto"}, {title: "address", least: 12}, {title: "state"}}
	for _, l := range s.Listeners {
		rows = append(rows, []cell{{printable(l.Kind), plain}, {printable(l.Address), plain}, stateCell(l.State)})
	}
	return columns, rows
}

// reactorTable has one row for each reactor, and their sum as its last. An operator reads
// "loop", and "behind" for sessions with a backlog: the slow readers are those closed for it.
func reactorTable(s monitor.Status) (columns []column, rows [][]cell) {
	columns = []column{
		{title: "loop", right: true},
		{title: "sessions", right: true},
		{title: "groups", right: true, rank: 3},
		{title: "members", right: true, rank: 8},
		{title: "messages", right: true, rank: 6},
		{title: "msg/s", right: true, rank: 5},
		{title: "deliv/s", right: true},
		{title: "backlog", right: true, rank: 2},
		{title: "behind", right: true, rank: 9},
		{title: "ring", right: true, rank: 4},
		{title: "p50", right: true, rank: 10},
		{title: "p99", right: true, rank: 1},
		{title: "busy", right: true},
		{title: "state"},
	}
	for _, r := range append(append([]monitor.Reactor{}, s.Reactors...), s.Total) {
		name := fmt.Sprint(r.Index)
		if r.Index < 0 {
			name = "all"
		}
		var row []cell
		for _, text := range []string{
			name, thousands(r.Sessions), thousands(r.Groups), thousands(r.Memberships),
			thousands(r.Messages), rate(r.MessagesPerSecond), rate(r.DeliveriesPerSecond),
			size(r.BacklogBytes), thousands(r.BacklogSessions), thousands(r.RingDepth),
			latency(r.LatencyP50), latency(r.LatencyP99), percent(r.Busy),
		} {
			row = append(row, cell{text, plain})
		}
		rows = append(rows, append(row, stateCell(r.State)))
	}
	return columns, rows
}

func groupTable(s monitor.Status) (columns []column, rows [][]cell) {
	columns = []column{{title: "members", right: true}, {title: "group", least: 8}}
	for _, g := range s.TopGroups {
		rows = append(rows, []cell{{thousands(g.Members), plain}, {printable(g.Name), plain}})
	}
	return columns, rows
}

// writeBridges says how the Channel server and the connection to another are
// doing, where there are such.
func (p paper) writeBridges(b *strings.Builder, s monitor.Status) {
	if c := s.Channel; c != nil {
		p.writeFields(b,
			"channel server: "+thousands(c.Connections)+" connections",
			fmt.Sprintf("channels: %s", thousands(c.Channels)),
			"subscriptions: "+thousands(c.Subscriptions),
			"events in: "+thousands(c.EventsIn),
			"out: "+thousands(c.EventsOut),
			some("queued", uint64(c.Queued)),
			some("dropped", c.Dropped),
			some("bad frames", c.BadFrames),
		)
	}
	if j := s.ChannelJoin; j != nil {
		state := "not connected"
		if j.Connected {
			state = "connected"
		}
		p.writeFields(b,
			"channel joined: "+printable(j.Address),
			state+" for "+span(s.TakenAt.Sub(j.Since)),
			"received: "+thousands(j.Received),
			"forwarded: "+thousands(j.Forwarded),
			some("not forwarded", j.NotForwarded),
			some("reconnects", j.Reconnects),
		)
		if j.LastError != "" {
			p.writeLine(b, []cell{{"last error: " + printable(j.LastError), yellow}})
		}
	}
}
