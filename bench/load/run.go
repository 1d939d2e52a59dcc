package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"groupcast/bench/internal/process"
)

// connectPatience is how long not one connection may become ready before the run gives up.
const connectPatience = 10 * time.Second

// run is one scenario against one server, from the first connection to the result.
type run struct {
	options  options
	control  *control
	loops    []*loop
	loopsEnd sync.WaitGroup
	server   *server // if it was started here
	meter    *meter  // nil: nothing is measured
	progress *progress
	result   result
}

// runAndReport runs a scenario and prints its result, also that of a run that broke off.
func runAndReport(ctx context.Context, o options) error {
	set, err := parseCPUs(o.LoadCPUs)
	if err != nil {
		return err
	}
	if set != nil {
		if err := pinSelf(set); err != nil {
			return err
		}
	}
	r := newRun(o, newProgress(os.Stderr, o.Quiet))
	err = r.do(ctx)
	if r.result.Connections > 0 {
		if err := r.result.print(os.Stdout, o.JSON); err != nil {
			return err
		}
	}
	if err == nil {
		err = r.result.verdict()
	}
	return err
}

func newRun(o options, p *progress) *run {
	r := &run{options: o, control: newControl(), progress: p}
	r.result = result{Scenario: o.scenario, Description: o.description, Server: o.Server, PID: o.PID, started: o}
	return r
}

// startTime is what a server gets for its start where its memory before the first session counts.
const startTime = 2 * time.Second

// do runs all phases. What was measured until an error is in r.result.
func (r *run) do(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			r.result.Error = err.Error()
		}
		r.progress.end()
	}()
	if err := raiseFiles(r.filesNeeded()); err != nil {
		return err
	}
	if err := r.findServer(ctx); err != nil {
		return err
	}
	if r.server != nil {
		defer r.server.stop()
	}
	if r.options.still {
		// What memory sessions take is counted from a server that has started: it answers before it has
		// given back what its start alone needed.
		if err := r.awaitTime(ctx, "starting", clock()+int64(startTime)); err != nil {
			return err
		}
	}
	if err := r.start(); err != nil {
		return err
	}
	defer r.end()
	if err := r.connect(ctx); err != nil {
		return err
	}
	switch {
	case r.options.traffic:
		return r.measure(ctx)
	case r.options.still:
		return r.settle(ctx)
	}
	return nil
}

func (r *run) filesNeeded() int {
	if r.options.closeWhenReady {
		return r.options.Concurrency
	}
	return len(r.options.plan.seats)
}

func (r *run) findServer(ctx context.Context) error {
	cpus, err := parseCPUs(r.options.ServerCPUs)
	if err != nil {
		return err
	}
	if err := r.options.placeAPI(); err != nil {
		return err
	}
	if r.options.Server != "" {
		if r.server, err = startServer(ctx, r.options.Server, cpus); err != nil {
			return err
		}
		r.options.Addr, r.options.PID = r.server.addr, r.server.PID()
		r.result.PID = r.server.PID()
	} else {
		c, err := net.DialTimeout("tcp", r.options.Addr, 5*time.Second)
		if err != nil {
			return fmt.Errorf("there is no server: %w", err)
		}
		_ = c.Close()
	}
	r.result.Addr = r.options.Addr
	if r.options.PID == 0 {
		return nil
	}
	if r.meter, err = newMeter(r.options.PID); err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(r.options.Addr)
	number, _ := net.LookupPort("tcp", port)
	if ours, err := r.meter.listens(number); err == nil && !ours {
		return fmt.Errorf("process %d does not listen on %s: whose CPU would that be?", r.options.PID, r.options.Addr)
	}
	return checkServerFiles(r.options.PID, r.filesNeeded())
}

// start makes the loops and lets them connect.
func (r *run) start() error {
	tcp, err := net.ResolveTCPAddr("tcp", r.options.Addr)
	if err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	var api *net.TCPAddr
	if r.options.PublishAPI != "" {
		if api, err = net.ResolveTCPAddr("tcp", r.options.PublishAPI); err != nil {
			return fmt.Errorf("--publish-api: %w", err)
		}
	}
	seats := make([][]int32, r.options.Threads)
	for i, s := range r.options.plan.seats {
		n := i % r.options.Threads
		if s.publisher >= 0 { // spread over the threads, whichever seats they have
			n = int(s.publisher) % r.options.Threads
		}
		seats[n] = append(seats[n], int32(i))
	}
	r.result.before = r.read()
	for _, s := range seats {
		l, err := newLoop(r.options.plan, r.control, r.options, socketAddress(tcp), s)
		if err != nil {
			return err
		}
		if api != nil {
			l.api = socketAddress(api)
		}
		r.loops = append(r.loops, l)
	}
	for _, l := range r.loops {
		r.loopsEnd.Go(l.run)
	}
	return nil
}

// socketAddress makes one for each loop: every use writes to it.
func socketAddress(a *net.TCPAddr) unix.Sockaddr {
	if ip := a.IP.To4(); ip != nil {
		return &unix.SockaddrInet4{Port: a.Port, Addr: [4]byte(ip)}
	}
	return &unix.SockaddrInet6{Port: a.Port, Addr: [16]byte(a.IP.To16())}
}

// end stops the loops, adds up what they know, and closes all connections.
func (r *run) end() {
	r.control.stop.Store(true)
	r.loopsEnd.Wait()
	r.result.count(r.stats())
	all := hdr.New(1, 3600e6, 3)
	for _, l := range r.loops {
		all.Merge(l.latency)
		switch tail := l.lostTail(); {
		case r.result.coming:
			r.result.Late += tail
		case r.result.drained:
			r.result.Lost += tail
		}
		l.close()
	}
	r.result.Latency = percentiles(all)
}

func (r *run) stats() (s stats) {
	for _, l := range r.loops {
		s.add(l.snapshot())
	}
	return s
}

// read is a reading of the meter, empty without one.
func (r *run) read() reading {
	if r.meter == nil {
		return reading{at: clock()}
	}
	now, _ := r.meter.read() // a server that has gone is noticed by trouble
	return now
}

// mark is where everything stands at one moment.
type mark struct {
	reading
	stats stats
	load  time.Duration // this process's CPU time
}

func (r *run) mark() mark {
	var pids []int
	if r.meter != nil {
		pids = family(r.meter.pid) // this takes a while, so it comes before everything that must be taken at once
	}
	m := mark{stats: r.stats(), load: selfTime(), reading: reading{at: clock()}}
	if r.meter != nil {
		m.reading, _ = r.meter.readAll(pids)
	}
	return m
}

// trouble is why the run cannot go on.
func (r *run) trouble(ctx context.Context) error {
	s := r.stats()
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case r.server != nil && !r.server.Alive():
		return r.server.Err()
	case r.meter != nil && !alive(r.meter.pid):
		if r.server != nil {
			<-r.server.Done() // it is being buried
			return r.server.Err()
		}
		return fmt.Errorf("the server (pid %d) has ended", r.meter.pid)
	case s.Failure != "":
		return errors.New(s.Failure)
	case s.Closed > 0 && s.Ready == 0 && !r.options.closeWhenReady:
		return fmt.Errorf("the server has closed all %d connections", s.Closed)
	}
	return nil
}

// await looks every few milliseconds whether it is done, and whether anything has gone wrong.
func (r *run) await(ctx context.Context, phase string, done func(s stats) bool) error {
	for {
		if err := r.trouble(ctx); err != nil {
			return err
		}
		s := r.stats()
		if done(s) {
			return nil
		}
		r.progress.show(phase, s)
		time.Sleep(5 * time.Millisecond)
	}
}

// awaitTime waits for a moment, exactly.
func (r *run) awaitTime(ctx context.Context, phase string, at int64) error {
	err := r.await(ctx, phase, func(stats) bool { return at-clock() < 20e6 })
	if err == nil {
		time.Sleep(time.Duration(at - clock()))
	}
	return err
}

// connect waits for all connections to be ready.
func (r *run) connect(ctx context.Context) error {
	want := len(r.options.plan.seats)
	had, since := 0, time.Now()
	var stalled error
	err := r.await(ctx, "connecting", func(s stats) bool {
		if s.Connections > had {
			had, since = s.Connections, time.Now()
		}
		if time.Since(since) > connectPatience {
			stalled = fmt.Errorf("%d of %d connections were ready, then none for %v: does the server answer req_id with acks?",
				had, want, connectPatience)
		}
		return s.Connections >= want || stalled != nil
	})
	r.result.connected(r.stats().Connections, r.result.before, r.read())
	if err == nil {
		err = stalled
	}
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	if !r.options.Acks {
		return r.awaitTime(ctx, "joining", clock()+1e9)
	}
	return nil
}

// measure is warm-up, measured window and drain.
func (r *run) measure(ctx context.Context) error {
	from := clock() + 50e6
	windowFrom := from + int64(r.options.warmup)
	lead := int64(0)
	if rate := r.options.rate; rate > 0 {
		// The window begins just before a message, so that it holds whole ones; and so do the readings.
		interval := 1e9 / rate
		messages := float64(int64(float64(r.options.warmup)/interval + 0.999))
		windowFrom = from + int64(messages*interval) - int64(interval/8)
		lead = min(5e6, int64(interval/8))
	}
	windowUntil := windowFrom + int64(r.options.duration)
	r.control.windowFrom.Store(windowFrom)
	r.control.windowUntil.Store(windowUntil)
	r.control.publishUntil.Store(windowUntil)
	r.control.publishFrom.Store(from)

	if err := r.awaitTime(ctx, "warming up", windowFrom-lead); err != nil {
		return err
	}
	first := r.mark()
	err := r.awaitTime(ctx, "measuring", windowUntil-lead)
	r.result.window(first, r.mark(), r.meter != nil)
	if err != nil {
		return err
	}
	return r.drain(ctx)
}

// drain waits until everything has arrived that must, or nothing has for a while.
func (r *run) drain(ctx context.Context) error {
	r.control.draining.Store(true)
	begun, quiet := clock(), r.options.quiet
	err := r.await(ctx, "draining", func(s stats) bool {
		silence := time.Duration(clock() - max(s.Arrival, begun))
		all := s.Expected >= r.options.plan.expected() && (r.result.sleepers() == 0 || silence > quiet/5)
		over := clock()-begun > int64(r.options.drain)
		r.result.coming = over && !all && silence < quiet/5
		return all || over || silence > quiet
	})
	r.result.drained = err == nil
	return err
}

// settle waits, and takes the memory of sessions that do nothing.
func (r *run) settle(ctx context.Context) error {
	if err := r.awaitTime(ctx, "settling", clock()+int64(r.options.settle)); err != nil {
		return err
	}
	r.result.settled(r.read(), r.stats().Ready)
	return nil
}

// selfTime is this process's CPU time.
func selfTime() time.Duration {
	t, _ := process.CPUTime(os.Getpid())
	return t
}
