package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// common is what every scenario can be told: which server, and how this program goes about it.
type common struct {
	Addr        string `help:"The server's address." default:"127.0.0.1:1234" group:"server"`
	Server      string `help:"Start this server and end it; {port} is a free port." placeholder:"CMD" group:"server"`
	PID         int    `name:"pid" help:"Measure this process and its children: CPU, memory." group:"server"`
	ServerCPUs  string `name:"server-cpus" help:"Pin the started server, e.g. 0." placeholder:"LIST" group:"server"`
	Acks        bool   `help:"${acks_help}" default:"true" negatable:"" group:"server"`
	Dialect     string `help:"What it speaks: groupcast, centrifuge, socketio, nchan." default:"groupcast" group:"server"`
	PublishAPI  string `name:"publish-api" help:"${publish_api_help}" placeholder:"ADDR" group:"server"`
	TLS         bool   `name:"tls" help:"Speak TLS; the certificate is not checked." group:"server"`
	TLSResume   bool   `name:"tls-resume" help:"Resume one TLS session, every time." group:"server"`
	Tokens      string `help:"File with tokens, one a line: connections present them in turn." placeholder:"FILE" group:"server"`
	Remote      bool   `help:"Allow an address that is not loopback." group:"server"`
	LoadCPUs    string `name:"load-cpus" help:"Pin this program, e.g. 1." placeholder:"LIST" group:"generator"`
	Threads     int    `help:"Event loops of this program." default:"1" group:"generator"`
	Concurrency int    `help:"Connections on their way at a time." default:"128" group:"generator"`
	Sources     int    `help:"Local addresses from 127.0.0.2 on; 0: one per 25,000 connections." group:"generator"`
	JSON        bool   `name:"json" help:"Print the result as JSON." group:"output"`
	Quiet       bool   `short:"q" help:"No progress." group:"output"`
}

// pace is what a scenario with messages can be told.
type pace struct {
	Size     int           `help:"Bytes of a message's payload." default:"${size=128}" group:"messages"`
	Warmup   time.Duration `help:"Time before measuring." default:"2s" group:"messages"`
	Duration time.Duration `help:"Time measured." default:"${duration=10s}" group:"messages"`
	Drain    time.Duration `help:"Longest wait for what is still under way." default:"30s" group:"messages"`
}

// options is a scenario made concrete.
type options struct {
	common
	scenario    string
	description string
	plan        *plan
	dialect     *dialect // nil: groupcast's own
	tokens      []string // nil: none is presented
	traffic     bool     // with messages

	size                    int
	rate                    float64 // messages/s of all publishers together; 0: windowed
	window                  int     // messages under way of each publisher; 0: paced
	warmup, duration, drain time.Duration
	quiet                   time.Duration // how long nothing may arrive before the rest counts as lost

	still          bool          // idle: the memory is what is measured
	settle         time.Duration // idle: wait before it is read
	closeWhenReady bool          // storm: hang up after the join
	healthz        bool          // storm: ask for /healthz, instead of a WebSocket and its join
	firstBytes     int           // idle: what each session says first
	stepRate       float64       // churn: steps/s of all visitors together
}

func (o *options) usePace(p pace) {
	o.traffic = true
	o.size, o.warmup, o.duration, o.drain, o.quiet = p.Size, p.Warmup, p.Duration, p.Drain, 5*time.Second
}

// maxPayloadBytes keeps a command within the default limit of a message, 64 KiB.
const maxPayloadBytes = 64<<10 - 512

// portsPerSource is how many connections one local address can have to one destination: Linux gives out 28,000 ports.
const portsPerSource = 25000

func (o *options) validate() error {
	if err := errors.Join(o.useDialect(), o.useAPI(), o.readTokens()); err != nil {
		return err
	}
	switch {
	case o.TLSResume && !o.TLS:
		return errors.New("--tls-resume needs --tls")
	case o.Server != "" && o.PID != 0:
		return errors.New("--server and --pid exclude each other")
	case o.ServerCPUs != "" && o.Server == "":
		return errors.New("--server-cpus pins the server that --server starts")
	case o.Threads < 1 || o.Threads > 64:
		return errors.New("--threads is from 1 to 64")
	case o.Concurrency < 1:
		return errors.New("--concurrency is at least 1")
	case o.Sources < 0 || o.Sources > 200:
		return errors.New("--sources is from 0 to 200")
	case o.traffic && (o.size < stampBytes || o.size > maxPayloadBytes):
		return fmt.Errorf("--size is from %d to %d: a payload carries %d bytes to be checked by",
			stampBytes, maxPayloadBytes, stampBytes)
	case o.traffic && (o.rate < 0 || o.window < 0 || (o.rate == 0) == (o.window == 0)):
		return errors.New("give either --rate or --window")
	case o.traffic && (o.duration <= 0 || o.warmup < 0 || o.drain < 0):
		return errors.New("--duration must be positive, --warmup and --drain not negative")
	case o.stepRate > 0 && !o.Acks:
		return errors.New("churn needs acks")
	}
	if o.Server == "" && !o.Remote {
		host, _, err := net.SplitHostPort(o.Addr)
		if err != nil {
			return fmt.Errorf("--addr: %w", err)
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return fmt.Errorf("%s is not loopback: add --remote if it is yours to load", host)
		}
	}
	if o.Sources > 1 && !strings.HasPrefix(o.Addr, "127.") && o.Server == "" {
		return errors.New("--sources are addresses 127.0.0.x: they can reach 127.0.0.1 only")
	}
	if o.Sources == 0 {
		o.Sources = 1
		if o.Server != "" || strings.HasPrefix(o.Addr, "127.") {
			o.Sources = (len(o.plan.seats) + portsPerSource - 1) / portsPerSource
		}
	}
	return nil
}

// readTokens reads the file of --tokens.
func (o *options) readTokens() error {
	if o.Tokens == "" {
		return nil
	}
	text, err := os.ReadFile(o.Tokens)
	if err != nil {
		return fmt.Errorf("--tokens: %w", err)
	}
	if o.tokens = strings.Fields(string(text)); len(o.tokens) == 0 {
		return fmt.Errorf("--tokens: wants a token a line, got none in %s", o.Tokens)
	}
	return nil
}
