package server

import (
	"context"
	"errors"
	"fmt"
	"net"

	"groupcast/loop"
	"groupcast/loop/accept"
	"groupcast/loop/ration"
	"groupcast/protocol"
	"groupcast/server/door"
)

// From a listener along its road into the engine.

// serveRoad accepts from d and sends connections along a road until d is shut.
func (s *Server) serveRoad(d *door.Door, road *door.Road) error {
	if err := s.engine.Prepare(d.Listener); err != nil {
		return err
	}
	log := ration.New(s.log)
	a := accept.Acceptor{Listener: d.Listener, OnError: func() { s.roadAcceptErrors.Add(1) }, Log: log}
	for {
		c, err := a.Next()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept on %s: %w", d.Bound(), err)
		}
		if err := road.Go(c); err != nil {
			_ = c.Close()
			log.Warn("a connection is closed unserved", "peer", c.RemoteAddr().String(), "error", err)
		}
		if err := s.engine.Trouble(); err != nil {
			a.Pause(err)
		} else {
			a.Went()
		}
	}
}

// admit hands a connection to the engine that has come to its road's end.
func (s *Server) admit(ctx context.Context, a *door.Arrival) {
	one := loop.Admission{Conn: a.Conn, Began: a.Began, Read: a.Read}
	client := a.Peer.Client
	if status, body, isChallenge := s.answerChallenge(a); isChallenge {
		s.httpChallenges.Add(1)
		a.Refuse(protocol.AppendAnswer(nil, status, protocol.PlainText, body))
		return
	}
	if s.gate != nil && a.Verdict.Upgraded { // else the loop says what is wrong
		who, refusal := s.gate.ask(ctx, client, a.Verdict.Request)
		if refusal != nil {
			a.Refuse(refusal)
			return
		}
		one.Who = who
	}
	// A proxy has told another address than the socket's, which a unix one does not have.
	if client.IsValid() && client != door.AddrPort(a.Conn.RemoteAddr()) {
		one.Remote = net.TCPAddrFromAddrPort(client)
	}
	if a.TLS != nil {
		one.TLS = a.TLS.Session()
	}
	if err := s.engine.Admit(one); err != nil && !errors.Is(err, loop.ErrClosed) {
		s.log.Debug("a connection came no further", "peer", a.Conn.RemoteAddr().String(), "error", err)
	}
}

// answerChallenge is an authority's question on a listener without TLS, and the answer.
func (s *Server) answerChallenge(a *door.Arrival) (status int, body []byte, ok bool) {
	if s.roads.issuer == nil || a.TLS != nil {
		return 0, nil, false
	}
	host, _ := a.Verdict.Request.Field("host")
	return s.roads.issuer.Answer(string(host), string(a.Verdict.Request.Path()))
}

func (s *Server) cameNoFurther(remote net.Addr, err error) {
	if _, panicked := errors.AsType[*door.PanicError](err); panicked {
		s.log.Error("a connection was lost to a mistake in this program", "peer", remote.String(), "error", err)
		return
	}
	s.log.Debug("a connection came no further", "peer", remote.String(), "error", err)
}
