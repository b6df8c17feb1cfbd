# Bash completion for amocrmctl(1).  tests/http/test_docs.py compares it with `amocrmctl --help`.
#
# For one user, add ". amocrmctl.bash" to ~/.bashrc.  For all users, install this file as
# /usr/share/bash-completion/completions/amocrmctl.

_amocrmctl()
{
	local commands='check urls keygen accounts token refresh disconnect events deliver replay
	    subscribe unsubscribe rekey repair engine export import'
	local word=$2 before=$3 command= config= i
	local -a reads=()

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-c | --config)
			i=$((i + 1))
			((i < COMP_CWORD)) && config=${COMP_WORDS[i]}
			;;
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	[[ -n $config ]] && reads=(-c "${config/#\~/$HOME}")

	if [[ -z $command ]]; then
		case $before in
		-c | --config)
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$word")
			;;
		*) mapfile -t COMPREPLY < <(compgen -W "$commands -c --config -h --help" -- "$word") ;;
		esac
		return
	fi

	local options=--help accounts=no events=no
	case $command in
	check) options+=' --online' ;;
	accounts) options+=' --json' ;;
	token | disconnect | unsubscribe) accounts=yes ;;
	refresh) options+=' --due' accounts=yes ;;
	events) options+=' --since --follow --items' ;;
	deliver) options+=' --once --follow' ;;
	replay) options+=' --since --until --id --dry-run' ;;
	subscribe) accounts=yes events=yes ;;
	engine) options+=' init state --json' ;;
	export) options+=' --plain' ;;
	esac

	case $before in
	--due) options='3600 21600 86400' accounts=no ;;
	--since | --until) options='15m 2h 1d 3d' ;;
	--id) options= ;;
	*)
		if [[ $accounts = yes && $word != -* ]]; then
			if ((COMP_CWORD == i + 1)); then
				options=$(amocrmctl "${reads[@]}" accounts --json 2>/dev/null |
				    sed -n 's/.*"account_id":\([0-9]*\),"domain":"\([a-z0-9.-]*\)".*/\1 \2/p' |
				    sort -u)
			elif [[ $events = yes ]]; then
				options="$(printf '%s ' {add,update,delete,restore,responsible,note}_{lead,contact,company})
				    status_lead add_customer update_customer delete_customer
				    responsible_customer note_customer add_task update_task delete_task
				    responsible_task add_talk update_talk add_message"
			else
				options=
			fi
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}

complete -F _amocrmctl amocrmctl
