package api

import (
	"context"
	"errors"

	"groupcast/loop"
)

// accepted is the answer to a publication that will be delivered.
type accepted struct {
	Order   uint64 `json:"order,omitempty" minimum:"1" doc:"Its place in the order that all members see; with several groups, the last one's"`
	Pending bool   `json:"pending,omitempty" doc:"It was taken, but got its place too late to be told"`
}

type messageInput struct {
	Group string `path:"group" doc:"The group's name, percent-encoded: a slash is %2F"`
}

type messageOutput struct{ Body accepted }

// publishMessage publishes the body as one message.
func (a *API) publishMessage(ctx context.Context, in *messageInput) (*messageOutput, error) {
	body := callOf(ctx).body
	ctx, cancel := a.publishing(ctx)
	defer cancel()
	result, p := a.publishOne(ctx, loop.Publication{Groups: []string{in.Group}, Payload: body, IsText: true})
	if p != nil {
		return nil, p
	}
	return &messageOutput{result}, nil
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
	return accepted{}, problemOf(ctx, err)
}

type batchInput struct{}

type batchOutput struct{ Body any }

// publishBatch publishes one item or several, in their order.
func (a *API) publishBatch(ctx context.Context, _ *batchInput) (*batchOutput, error) {
	items, batch, p := parseItems(callOf(ctx).body, a.limits.Load().MaxBatchItems)
	if p != nil {
		a.counters.RefusedItems.Add(1)
		return nil, p
	}
	ctx, cancel := a.publishing(ctx)
	defer cancel()
	results := make([]any, len(items))
	for i := range items {
		result, p := a.publishItem(ctx, &items[i])
		if results[i] = result; p == nil {
			continue
		}
		if !batch {
			return nil, p
		}
		results[i] = p
	}
	if !batch {
		return &batchOutput{results[0]}, nil
	}
	return &batchOutput{results}, nil
}

func (a *API) publishItem(ctx context.Context, it *item) (accepted, *problem) {
	switch {
	case it.problem != nil:
	case ctx.Err() != nil:
		// The engine would still take it if there is room now, and nobody could tell
		// whether it did.
		it.problem = problemOf(ctx, loop.ErrOverloaded)
	default:
		return a.publishOne(ctx, loop.Publication{Groups: it.groups, Payload: it.payload, IsText: it.isText, Exclude: it.exclude})
	}
	a.counters.RefusedItems.Add(1)
	return accepted{}, it.problem
}
