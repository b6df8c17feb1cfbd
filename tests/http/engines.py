"""Which tests run over PostgreSQL, too: those of what programs store, and read from the store.

They run once more, with the programs as FastCGI processes, each with a helper that keeps its
session.
"""

import webhooks
from responder import FastCgi
from sandbox import process
from sandbox.site import PROGRAMS

REPEATED = ("test_app_disconnect", "test_app_exchange", "test_app_status", "test_callback",
            "test_disconnect_hook", "test_refresh", "test_rekey", "test_selectors", "test_states",
            "test_subscribe", "test_webhook")

FILES = "it is about the files of the store"
NO_STORE = "the answer does not depend on what is stored"

LEFT_OUT = {
    "test_a_missing_store_is_not_an_empty_store": FILES,
    "test_an_unreadable_store": FILES,
    "test_no_sealed_token_remains_on_disk": FILES,
    "test_a_read_only_store_is_reported": FILES,
    "test_a_connection_missing_from_its_accounts_list_is_added": FILES,
    "test_a_store_without_permission_is_reported": FILES,
    "test_an_install_call_ends_in_time_if_its_code_is_locked": FILES,
    "test_another_account_can_be_selected_if_the_shared_connection_is_unreadable": FILES,
    "test_nothing_is_refreshed_with_a_read_only_store": FILES,
    "test_nothing_is_refreshed_without_disk_space": FILES,
    "test_a_missing_store_is_reported": FILES,
    "test_a_full_disk_is_reported_and_loses_no_event": FILES,
    "test_a_full_journal": "max_journal has no effect in a database",
    "test_two_hundred_concurrent_webhooks_are_all_stored_intact":
        "there is one process, whose queue of connections is shorter",
    **dict.fromkeys((
        "test_a_malformed_body_is_refused_and_not_stored",
        "test_a_new_host_that_is_not_amocrms_is_not_followed",
        "test_a_query_with_the_key_must_be_well_formed",
        "test_a_refresh_token_is_not_sent_to_a_foreign_host",
        "test_a_state_that_is_not_ours_never_reaches_amocrm",
        "test_a_temporary_fault_changes_nothing",
        "test_a_wrong_content_length",
        "test_amocrms_error_reaches_the_app",
        "test_android_gets_an_intent_for_every_deep_link",
        "test_any_other_get_changes_nothing",
        "test_both_sides_of_each_refusal",
        "test_every_structure_that_amocrm_sends_is_kept",
        "test_forms_and_json_are_stored",
        "test_head_matches_get_without_an_exchange",
        "test_invalid_selectors",
        "test_malformed_requests_never_reach_amocrm",
        "test_neither_code_nor_error",
        "test_other_methods_are_refused",
        "test_other_methods_get_405_and_the_allowed_method",
        "test_other_methods_get_405_and_the_allowed_methods",
        "test_other_types_are_refused",
        "test_the_account_may_stand_elsewhere",
        "test_the_authorize_url_is_the_configured_one",
        "test_the_page_is_in_the_visitors_language",
        "test_unknown_methods",
        "test_where_states_are_signed_other_states_are_refused",
        "test_without_the_right_key_nothing_is_stored",
        "test_wrong_arguments_are_reported",
    ), NO_STORE),
}


def repeats(module, test):
    return module.__name__ in REPEATED and test.__name__ not in LEFT_OUT


class Responders(FastCgi):
    """One process of each program for all these tests.  It ends with the thread that starts it, so
    that is none of a test."""

    def __init__(self, site):
        super().__init__(site)
        self.start_all()

    def start_all(self):
        for program in PROGRAMS:
            if program in self.processes:
                self.end(program)
            self.spawn(program)


def warm(site):
    """Connects the webhook to the database, for which amoCRM leaves it less time than a busy
    machine may need."""
    if any(one.poll() is not None for running in site.server.processes.values() for one in running):
        site.server.start_all()
    site.configure(webhook_accounts="any")
    process.wait_until(lambda: webhooks.send(site, b"leads[add][0][id]=1&account[id]=5").status
                       == 200, "the webhook")
