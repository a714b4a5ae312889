package lab

import (
	"context"
	"os"
	"strconv"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verdict"
)

// Matrix asks who may call whom, of the compiled policy and of the Envoys: every
// identity that workloads run under, every service port.
func (l *Lab) Matrix(ctx context.Context) (compiled, live *verdict.Matrix, err error) {
	result := l.Compiled()
	compiled, err = verdict.NewMatrix(result.Mesh, result.Tables, func(r ir.Request) (ir.Outcome, error) {
		return ir.Decide(result.Mesh, r).Outcome, nil
	})
	if err != nil {
		return nil, nil, err
	}
	live, err = verdict.NewMatrix(result.Mesh, result.Tables, func(r ir.Request) (ir.Outcome, error) {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		return l.decide(r)
	})
	return compiled, live, err
}

// decide is what the Envoys do with a request, sent as often as its leaves need.
func (l *Lab) decide(r ir.Request) (ir.Outcome, error) {
	n := 1
	if len(ir.Decide(l.Compiled().Mesh, r).Leaves) > 1 {
		n = leafRequests
	}
	observed, err := l.Request(r, n)
	if err != nil {
		return "", err
	}
	outcome, _ := observed.Outcome()
	return outcome, nil
}

// TestTree brings a lab up for its verdict tables alone, runs them, and takes it
// down again.
func TestTree(ctx context.Context, opts Options) (Report, error) {
	if opts.Name == "" {
		opts.Name = testLab + strconv.Itoa(os.Getpid())
	}
	l, err := Up(ctx, opts)
	if err != nil {
		return Report{}, err
	}
	report, err := l.Test(ctx)
	if down := l.Down(); err == nil {
		err = down
	}
	return report, err
}
