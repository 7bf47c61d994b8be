package line

import (
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// commitStage is the index of the commit stage, which comes before Pipeline.Stages.
const commitStage = -1

// Stage returns the stage that the version is in or waits to enter; empty when it went through
// all of them.
func (v *Version) Stage() andon.StageName {
	if v.Run != nil {
		return v.Run.Stage
	}
	return v.stageName(v.Next)
}

// Open reports whether the version is still on its way.
func (v *Version) Open() bool { return v.Ended == nil }

// mayMove reports whether something may follow for the version now.
func (v *Version) mayMove() bool { return v.Open() && (v.Run == nil || !v.Run.waiting) }

func (v *Version) stageName(i int) andon.StageName {
	switch {
	case i == commitStage:
		return andon.CommitStageName
	case v.Pipeline == nil || i >= len(v.Pipeline.Stages):
		return ""
	default:
		return v.Pipeline.Stages[i].Name
	}
}

// stageIndex returns the index of a stage, and noStage for a name that the pipeline lacks.
func (v *Version) stageIndex(name andon.StageName) int {
	if name == andon.CommitStageName {
		return commitStage
	}
	if v.Pipeline != nil {
		if _, i, ok := v.Pipeline.Stage(name); ok {
			return i
		}
	}
	return noStage
}

const noStage = -2

// stageNames lists the stages of the pipeline for people: "commit, acceptance, production".
func (v *Version) stageNames() string {
	names := []string{string(andon.CommitStageName)}
	if v.Pipeline != nil {
		for _, stage := range v.Pipeline.Stages {
			names = append(names, string(stage.Name))
		}
	}
	return strings.Join(names, ", ")
}

// stage returns the stage after the commit stage that the version is in or waits to enter; nil in
// the commit stage and after the last.
func (v *Version) stage() *andon.Stage {
	if v.Pipeline == nil || v.Next < 0 || v.Next >= len(v.Pipeline.Stages) {
		return nil
	}
	return &v.Pipeline.Stages[v.Next]
}

// deploysTo returns the environment that the present stage deploys to; empty: none.
func (v *Version) deploysTo() andon.EnvironmentName {
	if st := v.stage(); st != nil {
		return st.Deploy
	}
	return ""
}

// jobs returns the jobs of the present stage.
func (v *Version) jobs() []andon.Job {
	if st := v.stage(); st != nil {
		return st.Jobs
	}
	if v.Next == commitStage && v.Pipeline != nil {
		return v.Pipeline.Commit.Jobs
	}
	return nil
}

// runs returns how often the version has left a stage.
func (v *Version) runs(stage andon.StageName) int {
	for _, e := range v.Stages {
		if e.Stage == stage {
			return e.Run
		}
	}
	return 0
}

// waits reports whether the version waits to enter the stage of that index.
func (v *Version) waits(i int) bool { return v.Ended == nil && v.Run == nil && v.Next == i }
