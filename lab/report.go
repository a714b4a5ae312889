package lab

import (
	"context"
	"errors"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/lab/pod"
)

var _ = context.Background
var _ = errors.New
var _ ir.Request
var _ syntax.VerdictCase

type Report struct{}

func (l *Lab) Test(ctx context.Context) (Report, error) { return Report{}, nil }

func (l *Lab) interception() any {
	if l.rootless {
		return pod.Intercept{Mark: envoyUID}
	}
	return pod.Intercept{UID: envoyUID}
}
