package api

import (
	"context"
	"errors"

	"groupcast/loop"
)

// accepted is the answer to a publication that will be delivered.
type accepted struct {
	Order   uint64 `json:"order,omitempty"`   // the last one's, with several groups, or users
	Pending bool   `json:"pending,omitempty"` // it got its place too late to be told
}

// publishMessage publishes the body as one message.
func (a *API) publishMessage(ctx context.Context, group string, body []byte) (accepted, *problem) {
	ctx, cancel := a.publishing(ctx)
	defer cancel()
	return a.publishOne(ctx, loop.Publication{Groups: []string{group}, Payload: body, IsText: true})
}

// publishUserMessage publishes the body as one message to a user.
func (a *API) publishUserMessage(ctx context.Context, user string, body []byte) (accepted, *problem) {
	ctx, cancel := a.publishing(ctx)
	defer cancel()
	return a.publishOne(ctx, loop.Publication{Users: []string{user}, Payload: body, IsText: true})
}

// publishing bounds how long publications may wait for room. A client that has
// left by itself ends nothing: its request came whole, and programs that write
// and close without reading are common.
func (a *API) publishing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), a.limits.Load().PublishTimeout)
}

// publishOne tells apart what was published and what was not; see
// loop.Engine.PublishAll.
func (a *API) publishOne(ctx context.Context, p loop.Publication) (accepted, *problem) {
	order, err := a.engine.PublishAll(ctx, p)
	switch {
	case err == nil:
		a.counters.PublishedItems.Add(1)
		return accepted{Order: order}, nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		// It is in the ring and will be delivered.
		a.counters.PublishedItems.Add(1)
		return accepted{Pending: true}, nil
	}
	a.counters.RefusedItems.Add(1)
	return accepted{}, problemOf(err)
}

// publishBatch publishes one item or several, in their order. The answer to several
// is a list, of accepted and *problem.
func (a *API) publishBatch(ctx context.Context, _ nothing, body []byte) (any, *problem) {
	items, batch, p := parseItems(body, a.limits.Load().MaxBatchItems, a.cluster())
	if p != nil {
		a.counters.RefusedItems.Add(1)
		return nil, p
	}
	ctx, cancel := a.publishing(ctx)
	defer cancel()
	if !batch {
		return a.publishItem(ctx, &items[0])
	}
	results := make([]any, len(items))
	for i := range items {
		result, p := a.publishItem(ctx, &items[i])
		if results[i] = result; p != nil {
			results[i] = p
			a.logItem(p)
		}
	}
	return results, nil
}

func (a *API) publishItem(ctx context.Context, it *item) (accepted, *problem) {
	switch {
	case it.problem != nil:
	case ctx.Err() != nil:
		// The engine would still take it if there is room now, and nobody could tell
		// whether it did.
		it.problem = problemOf(loop.ErrOverloaded)
	default:
		return a.publishOne(ctx, loop.Publication{
			Groups: it.groups, Users: it.users, Payload: it.payload, IsText: it.isText,
			Exclude: it.exclude, ExcludeElsewhere: it.excludeElsewhere,
		})
	}
	a.counters.RefusedItems.Add(1)
	return accepted{}, it.problem
}

// logItem logs a mistake of the server's in a batch, whose status does not tell.
func (a *API) logItem(p *problem) {
	if p.cause == nil {
		return
	}
	if ok, missed := a.ration.Take("item"); ok {
		a.log.Warn("api: an item of a batch failed", "error", p.cause, "not_logged", missed)
	}
}
