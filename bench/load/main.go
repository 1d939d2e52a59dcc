package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
)

type cli struct {
	BigRoom    bigRoom    `cmd:"" help:"One large group, a steady pace."`
	HotRoom    hotRoom    `cmd:"" help:"One busy group, saturated: each publisher keeps a window of messages under way."`
	ManyRooms  manyRooms  `cmd:"" help:"Many small groups, saturated or paced."`
	ManyGroups manyGroups `cmd:"" help:"Members that are in many groups each."`
	Idle       idleCrowd  `cmd:"" help:"Joined sessions that do nothing: memory per session."`
	Storm      storm      `cmd:"" help:"Connect, upgrade and join at full speed: the server's CPU per connection."`
	Churn      churn      `cmd:"" help:"Joins, leaves and reconnects under load; those who stay must miss nothing."`
	Slow       slow       `cmd:"" help:"Some never read; others must miss nothing." set:"size=4096" set:"duration=20s"`
	Compare    compare    `cmd:"" help:"Run one scenario against several servers in turn."`
}

// longHelp are the explanations that are too long for a tag.
var longHelp = kong.Vars{
	"acks_help": "Wait for the acks of joins. Without, joins count as done a second later.",
	"candidate_help": "A server and how to start it; {port} is replaced. @DIALECT before the command says what it " +
		"speaks, @tls that it does so over TLS, @tokens=FILE that its clients present those. Repeat the flag.",
	"publish_api_help": "Publish to groupcast's HTTP API at this address instead; with --server, {api} is a free " +
		"port in both.",
}

func main() {
	// Next to nothing is allocated while measuring; a larger heap keeps the collector out of it altogether.
	debug.SetGCPercent(400)
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	parsed := kong.Parse(&cli{},
		kong.Name("load"),
		kong.Description("Drives a group-push WebSocket server and checks every delivery."),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}), longHelp,
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err := parsed.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		cancel()
		os.Exit(1)
	}
}
