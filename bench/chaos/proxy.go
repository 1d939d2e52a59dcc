package main

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
)

// proxy stands between a node and NATS. It can end the connections, at once or in the middle of what is on the way.
type proxy struct {
	to       string
	listener net.Listener
	running  sync.WaitGroup
	cuts     atomic.Int64

	mu    sync.Mutex // guards what follows
	pairs map[*pair]struct{}
}

// pair are the two connections of one.
type pair struct {
	near, far *net.TCPConn
	// stands: what comes is not passed on any more.
	stands atomic.Bool
}

func startProxy(to string) (*proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{to: to, listener: listener, pairs: map[*pair]struct{}{}}
	p.running.Go(p.accept)
	return p, nil
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = near.Close()
			continue
		}
		one := &pair{near: near.(*net.TCPConn), far: far.(*net.TCPConn)}
		p.mu.Lock()
		p.pairs[one] = struct{}{}
		p.mu.Unlock()
		p.running.Go(func() { p.pass(one, one.near, one.far) })
		p.running.Go(func() { p.pass(one, one.far, one.near) })
	}
}

// pass copies one way until either end has ended.
func (p *proxy) pass(one *pair, from, to *net.TCPConn) {
	defer one.end()
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !one.stands.Load() {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			p.mu.Lock()
			delete(p.pairs, one)
			p.mu.Unlock()
			return
		}
	}
}

func (o *pair) end() {
	_ = o.near.Close()
	_ = o.far.Close()
}

// cut ends all connections: so that both sides see their end behind all that was sent, or with a reset and what was on
// the way thrown away; or what is sent goes nowhere from now on, until the node finds out.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	how := rand.IntN(8)
	for one := range p.pairs {
		switch {
		case how == 0:
			one.stands.Store(true)
		case how < 4:
			_ = one.near.SetLinger(0)
			_ = one.far.SetLinger(0)
			one.end()
		default:
			one.end()
		}
		p.cuts.Add(1)
	}
}

func (p *proxy) stop() {
	_ = p.listener.Close()
	p.mu.Lock()
	for one := range p.pairs {
		one.end()
	}
	p.mu.Unlock()
	p.running.Wait()
}
