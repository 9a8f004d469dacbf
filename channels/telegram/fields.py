"""The Bot API's fields by what they mean here (Bot API 10.1, of 2026-06-11; checked 2026-11-27).

A field that is in none of these sets is new: an update of it is kept as unknown, a message as of an unsupported kind.
"""

from __future__ import annotations


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


# updates that say nothing about a conversation with a person
IGNORED_UPDATES = _names(
    """
    channel_post edited_channel_post business_connection business_message edited_business_message
    deleted_business_messages guest_message message_reaction_count inline_query chosen_inline_result shipping_query
    pre_checkout_query purchased_paid_media poll poll_answer chat_member chat_join_request chat_boost
    removed_chat_boost managed_bot
    """
)
# fields of a message that make it news of the chat, not somebody's words
SERVICE_FIELDS = _names(
    """
    new_chat_members left_chat_member chat_owner_left chat_owner_changed new_chat_title new_chat_photo
    delete_chat_photo group_chat_created supergroup_chat_created channel_chat_created
    message_auto_delete_timer_changed pinned_message connected_website write_access_allowed proximity_alert_triggered
    boost_added chat_background_set forum_topic_created forum_topic_edited forum_topic_closed forum_topic_reopened
    general_forum_topic_hidden general_forum_topic_unhidden video_chat_scheduled video_chat_started video_chat_ended
    video_chat_participants_invited giveaway_created giveaway_completed direct_message_price_changed
    paid_message_price_changed managed_bot_created
    """
)
# fields that any message may have: what is left names the kind of an unsupported one
COMMON_FIELDS = _names(
    """
    message_id message_thread_id direct_messages_topic from sender_chat sender_boost_count sender_business_bot
    sender_tag date guest_query_id business_connection_id chat forward_origin is_topic_message is_automatic_forward
    reply_to_message external_reply quote reply_to_story reply_to_checklist_task_id reply_to_poll_option_id via_bot
    guest_bot_caller_user guest_bot_caller_chat edit_date has_protected_content is_from_offline is_paid_post
    media_group_id author_signature paid_star_count entities link_preview_options suggested_post_info effect_id
    caption caption_entities show_caption_above_media has_media_spoiler reply_markup
    """
)
