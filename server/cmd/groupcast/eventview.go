package main

import (
	"strings"
	"time"

	"groupcast/server/monitor"
)

// shownEvents is how many of what has happened status shows, the newest first.
const shownEvents = 5

// eventWords say what an event is, in the words of the page: one, several, and how bad it
// is. An event of a kind that is not in here is shown by its name.
var eventWords = map[string]struct {
	one, many string // many is written behind a count; empty: the event is not counted
	colour    colour
}{
	monitor.EventSlowReaders:    {"slow reader closed", "slow readers closed", red},
	monitor.EventRateClosed:     {"session closed for sending too fast", "sessions closed for sending too fast", red},
	monitor.EventIdleClosed:     {"silent session closed", "silent sessions closed", plain},
	monitor.EventCutSessions:    {"session cut off", "sessions cut off", red},
	monitor.EventMemoryClosed:   {"connection closed for want of memory", "connections closed for want of memory", red},
	monitor.EventPanics:         {"session closed after a mistake", "sessions closed after a mistake", red},
	monitor.EventRefused:        {"connection refused with 503", "connections refused with 503", red},
	monitor.EventAcceptErrors:   {"accept error", "accept errors", red},
	monitor.EventCommandErrors:  {"command answered with an error", "commands answered with an error", yellow},
	monitor.EventOverloaded:     {"publication refused", "publications refused", red},
	monitor.EventChannelDropped: {"Channel event dropped", "Channel events dropped", red},
	monitor.EventBadFrames:      {"bad Channel frame", "bad Channel frames", yellow},
	monitor.EventNotForwarded:   {"message not forwarded", "messages not forwarded", red},
	monitor.EventJoinLost:       {"the joined Channel server is away", "", red},
	monitor.EventBusAway:        {"NATS is away", "", red},
	monitor.EventBusLost:        {"message did not cross to other nodes", "messages did not cross to other nodes", red},
	monitor.EventBusLosses:      {"loss told to members", "losses told to members", red},
	monitor.EventBusSlow:        {"overflow of what came from NATS", "overflows of what came from NATS", red},
	monitor.EventNameTaken:      {"another node has this one's name", "", red},
	monitor.EventNodeSilent:     {"a node is silent", "", yellow},
	monitor.EventNodeGone:       {"a node is gone", "", red},
	monitor.EventNodeLeft:       {"a node has left", "", plain},
	monitor.EventJoinTwice:      {"another node has --channel-join as well", "", red},
	monitor.EventStalled:        {"a loop stalled", "", red},
	monitor.EventDraining:       {"the server drains", "", yellow},
	monitor.EventReload:         {"settings reloaded", "", plain},
	monitor.EventReloadRefused:  {"a reload was refused", "", yellow},
}

// eventTable lists what has happened last, if anything has.
func eventTable(s monitor.Status, events []monitor.Event, zone *time.Location) (columns []column, rows [][]cell) {
	columns = []column{
		{title: "at"},
		{title: "ago", right: true, rank: 2},
		{title: "for", right: true, rank: 1},
		{title: "what", least: 16},
	}
	for _, e := range events[:min(shownEvents, len(events))] {
		lasted := ""
		if d := e.To.Sub(e.From); d >= time.Second {
			lasted = span(d)
		}
		at := e.From.In(zone)
		format := time.TimeOnly
		if s.TakenAt.Sub(e.From) >= 24*time.Hour {
			format = time.DateOnly
		}
		rows = append(rows, []cell{
			{at.Format(format), plain}, {span(s.TakenAt.Sub(e.To)), plain}, {lasted, plain}, eventCell(e),
		})
	}
	return columns, rows
}

func eventCell(e monitor.Event) cell {
	words, known := eventWords[e.Kind]
	text := words.one
	switch {
	case !known:
		text = printable(e.Kind)
		if e.Count > 0 {
			text += " " + thousands(e.Count)
		}
	case words.many != "" && e.Count != 1:
		text = thousands(e.Count) + " " + words.many
	case words.many != "":
		text = "1 " + words.one
	}
	switch {
	case e.Kind == monitor.EventStalled:
		text = "loop " + printable(e.Cause) + " stalled"
	case e.Cause != "":
		text += ": " + printable(e.Cause)
	}
	return cell{strings.TrimSpace(text), words.colour}
}
